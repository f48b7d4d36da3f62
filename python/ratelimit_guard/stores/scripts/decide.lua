-- Decides a batch of questions at one instant: strict and sliding windows, token buckets, slots, reservations.
--
-- KEYS   counters first (msgpack in strings), then the holds of reservations (hashes). ARGV[1] is a program of numbers
-- in msgpack, written and answered as rust/core/src/remote says:
--
--   now (µs, 0: the server's), nonce, counters, rules × {kind, limit, window µs, burst, stamp}, questions…
--
-- A counter is {stamp, limit, sub or window, born, epoch or at, …}. Windows: a ring of counts, one for each epoch, the
-- epoch's own place first found by its remainder. Buckets: limit of the rate, and the fill in units. `born` names a
-- life: what was taken in another one cannot be given back. The algorithms are those of rust/core/src/window.rs and
-- gcra.rs, without their races.

local STRICT, SLIDING, BUCKET = 1, 2, 3
local STAMP, LIMIT, SPAN, BORN, SEEN, RING = 1, 2, 3, 4, 5, 6 -- of a window
local RATE, FILL = 6, 7 -- of a bucket: SPAN is the rate's window, LIMIT its burst
local MOST = 68719476735 -- 2^36 - 1: what a window counts beyond its limit
local EPS = 2 ^ -40 -- of a burst: what sums of fractions may be off
local MARGIN = 1000000 -- µs that a key outlives its meaning, for clocks that step back
local SEASONED = 3600000000 -- µs that keys live at least when time is given: a test's clock is not the server's
local LOOKS = 4096 -- holds that a refusal looks at
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min

local p = cmsgpack.unpack(ARGV[1])
local now, nonce, counters = p[1], p[2], p[3]
local given = now > 0
if not given then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local rules, at = {}, 5
for index = 1, p[4] do
  local kind, limit, window, burst, stamp = p[at], p[at + 1], p[at + 2], p[at + 3], p[at + 4]
  local past = kind == STRICT and 8 or 1
  local sub = kind == STRICT and ceil(window / 8) or window
  rules[index] = {kind = kind, limit = limit, window = window, burst = burst, stamp = stamp, past = past, sub = sub}
  at = at + 5
end

local cells, raw, dirty, damaged = {}, nil, {}, {}
if counters > 0 then raw = redis.call('MGET', unpack(KEYS, 1, counters)) end

-- Numbers that this script may have written; raises an error or gives nil for anything else.
local function numbers_of(text, size)
  local numbers = cmsgpack.unpack(text)
  if #numbers ~= size then return nil end
  for place = 1, size do
    local number = numbers[place]
    if not (number >= 0 and number < 2 ^ 53) then return nil end
  end
  return numbers
end

local lists = {}

-- Is a list of reservations one, or not there yet?
local function listable(key)
  if lists[key] == nil then lists[key] = type(redis.pcall('HLEN', key)) == 'number' end
  return lists[key]
end

local function hold_of(text)
  local fine, hold = pcall(numbers_of, text, 6)
  return fine and hold or nil
end

local function holds_at(index) return index > 0 and KEYS[counters + index] or nil end

local function fresh(rule)
  if rule.kind == BUCKET then return {rule.stamp, rule.burst, rule.window, nonce, now, rule.limit, 0} end
  local cell = {rule.stamp, rule.limit, rule.sub, nonce, floor(now / rule.sub), 0, 0}
  for place = RING + 2, RING + rule.past do cell[place] = 0 end
  return cell
end

-- A window's ring turned to the present; a clock behind what the cell has seen is not believed.
local function turn(cell, past)
  local epoch, size = floor(now / cell[SPAN]), past + 1
  local seen = cell[SEEN]
  if epoch <= seen then return end
  for old = max(seen + 1, epoch - past), epoch do cell[RING + old % size] = 0 end
  cell[SEEN] = epoch
end

local function drain(cell)
  if now <= cell[SEEN] then return end
  cell[FILL] = max(0, cell[FILL] - (now - cell[SEEN]) * cell[RATE] / cell[SPAN])
  cell[SEEN] = now
end

-- A clock behind by more than a window is another one, as after a failover: what was used counts from now on.
local function settle_in(key, cell, rule)
  if rule.kind == BUCKET then
    if cell[SEEN] - now > cell[SPAN] then cell[SEEN], dirty[key] = now, rule end
    return
  end
  local epoch, size, units = floor(now / cell[SPAN]), rule.past + 1, 0
  if cell[SEEN] - epoch <= size then return end
  for place = RING, RING + rule.past do units, cell[place] = units + cell[place], 0 end
  cell[SEEN], cell[RING + epoch % size], dirty[key] = epoch, units, rule
end

local function fading(cell)
  local sub, epoch = cell[SPAN], cell[SEEN]
  local left = (epoch + 1) * sub - max(now, epoch * sub)
  return ceil(cell[RING + (epoch + 1) % 2] * left / sub)
end

local function used(cell, rule)
  if rule.kind == BUCKET then return cell[FILL] end
  if rule.kind == SLIDING then return fading(cell) + cell[RING + cell[SEEN] % 2] end
  return cell[6] + cell[7] + cell[8] + cell[9] + cell[10] + cell[11] + cell[12] + cell[13] + cell[14]
end

-- Another quota of the same policy: the later one holds, and keeps what was used.
local function adopt(cell, rule)
  if cell[STAMP] > rule.stamp then return cell end
  if rule.kind ~= BUCKET and cell[SPAN] == rule.sub then
    cell[STAMP], cell[LIMIT] = rule.stamp, rule.limit
    return cell
  end
  local heir, units = fresh(rule), used(cell, rule)
  if rule.kind == BUCKET then
    heir[BORN], heir[SEEN], heir[FILL] = cell[BORN], cell[SEEN], min(units, rule.burst)
    return heir
  end
  heir[SEEN] = max(heir[SEEN], floor(cell[SEEN] * cell[SPAN] / rule.sub))
  heir[RING + heir[SEEN] % (rule.past + 1)] = units
  return heir
end

-- The cell of a key as it is now; nil for a key that holds something else.
local function cell_of(key, rule)
  local cell = cells[key]
  if cell == nil then
    local value = raw[key]
    if value then
      local fine, found = pcall(numbers_of, value, rule.kind == STRICT and 14 or 7)
      if not (fine and found and found[SPAN] >= 1 and (rule.kind ~= BUCKET or found[RATE] > 0)) then
        damaged[key] = true
        return nil
      end
      cell = found
      settle_in(key, cell, rule)
    else
      if redis.call('EXISTS', KEYS[key]) == 1 then -- of another type
        damaged[key] = true
        return nil
      end
      cell = fresh(rule)
    end
    cells[key] = cell
  end
  if damaged[key] then return nil end
  if rule.kind == BUCKET then drain(cell) else turn(cell, rule.past) end
  if cell[STAMP] ~= rule.stamp then
    cell = adopt(cell, rule)
    cells[key] = cell
  end
  return cell
end

local function fits(cell, rule, cost)
  if cost == 0 then return true end
  if rule.kind == BUCKET then
    return cost <= cell[LIMIT] and cell[FILL] + cost <= cell[LIMIT] * (1 + EPS)
  end
  return used(cell, rule) + cost <= cell[LIMIT]
end

local function remaining(cell, rule)
  if rule.kind == BUCKET then return floor(max(0, cell[LIMIT] * (1 + EPS) - cell[FILL])) end
  return max(0, cell[LIMIT] - used(cell, rule))
end

local function end_of(cell, rule, epoch) return (epoch + rule.past + 1) * cell[SPAN] end

local function reset_after(cell, rule)
  if rule.kind == BUCKET then
    if cell[FILL] <= 0 then return 0 end
    return ceil(cell[FILL] * cell[SPAN] / cell[RATE]) + cell[SEEN] - now
  end
  for epoch = cell[SEEN], cell[SEEN] - rule.past, -1 do
    if epoch >= 0 and cell[RING + epoch % (rule.past + 1)] > 0 then return end_of(cell, rule, epoch) - now end
  end
  return 0
end

local function retry_sliding(cell, cost)
  local sub, epoch, room = cell[SPAN], cell[SEEN], cell[LIMIT] - cost
  local previous, current = cell[RING + (epoch + 1) % 2], cell[RING + epoch % 2]
  local close = (epoch + 1) * sub
  local function left(units, space) return min(sub, floor(space * sub / units)) end
  if room >= current and previous > 0 then return close - left(previous, room - current) - now end
  return close + sub - left(max(current, 1), room) - now
end

-- µs until the cost fits; -1: never.
local function retry_after(cell, rule, cost)
  if fits(cell, rule, cost) then return 0 end
  if cost > cell[LIMIT] then return -1 end
  if rule.kind == BUCKET then
    return max(1, ceil((cell[FILL] + cost - cell[LIMIT]) * cell[SPAN] / cell[RATE])) + cell[SEEN] - now
  end
  if rule.kind == SLIDING then return max(1, retry_sliding(cell, cost)) end
  local rest = used(cell, rule)
  for epoch = cell[SEEN] - rule.past, cell[SEEN] do
    if epoch >= 0 then
      rest = rest - cell[RING + epoch % 9]
      if rest + cost <= cell[LIMIT] then return end_of(cell, rule, epoch) - now end
    end
  end
  return end_of(cell, rule, cell[SEEN]) - now
end

-- Take units, whether they fit or not; what the cell cannot remember of a debt is not taken. What was taken.
local function take(key, cell, rule, cost)
  if rule.kind == BUCKET then
    local room = cell[LIMIT] + floor(cell[LIMIT] / 16) - cell[FILL]
    cost = max(0, min(cost, floor(room * (1 + EPS))))
    cell[FILL] = cell[FILL] + cost
  else
    cost = max(0, min(cost, MOST - used(cell, rule)))
    local place = RING + cell[SEEN] % (rule.past + 1)
    cell[place] = cell[place] + cost
  end
  if cost > 0 then dirty[key] = rule end
  return cost
end

-- Give back what was taken at `mark`, never more. False: it does not count any more.
local function give_back(key, cell, rule, mark, born, cost)
  if cell[BORN] ~= born then return false end
  if rule.kind == BUCKET then
    local credit = cost - max(0, cell[SEEN] - mark) * cell[RATE] / cell[SPAN]
    if credit <= 0 then return false end
    cell[FILL] = max(0, cell[FILL] - credit)
  else
    if mark + rule.past < cell[SEEN] or mark > cell[SEEN] then return false end
    local place = RING + mark % (rule.past + 1)
    if cell[place] <= 0 then return false end
    cell[place] = max(0, cell[place] - cost)
  end
  dirty[key] = rule
  return true
end

local reply, size, reclaimed = {now}, 1, 0
local function say(value)
  size = size + 1
  reply[size] = value
end

local function assess(parts, n, out)
  for index = 1, n do
    local part = parts[index]
    local cell, cost = cells[part.key], part.fixed + (part.pays and out or 0)
    say(cell[LIMIT])
    say(remaining(cell, part.rule))
    say(reset_after(cell, part.rule))
    say(retry_after(cell, part.rule, cost))
  end
end

-- What reservations of others hold of a counter and have not spent. Those whose owners are gone are given back first.
local function others(part, account)
  local unspent, is_known, found = 0, false, redis.call('HLEN', part.holds)
  if found > LOOKS then return 0, true end
  found = redis.call('HGETALL', part.holds)
  for place = 1, #found, 2 do
    local holder, amount, mark, born, till, is_firm = unpack(hold_of(found[place + 1]) or {})
    if not holder then
      redis.call('HDEL', part.holds, found[place])
    elseif till < now then
      redis.call('HDEL', part.holds, found[place])
      if give_back(part.key, cells[part.key], part.rule, mark, born, amount) then reclaimed = reclaimed + 1 end
    else
      if holder == account then is_known = true end
      if is_firm == 0 then unspent = unspent + amount end
    end
  end
  return unspent, is_known
end

-- The output that all parts have room for, between the least and what is wanted; nil when something does not fit.
local function room(parts, n, least, want)
  local out = want
  for index = 1, n do
    local part = parts[index]
    local cell = cells[part.key]
    if part.pays then
      out = min(out, max(least, remaining(cell, part.rule) - part.fixed))
    end
  end
  for index = 1, n do
    local part = parts[index]
    if not fits(cells[part.key], part.rule, part.fixed + (part.pays and out or 0)) then return nil end
  end
  return out
end

-- Parts that refuse only because others hold what they have not spent: an account with nothing in flight looks past it.
local function look_past(parts, n, least, account)
  local past = {}
  for index = 1, n do
    local part = parts[index]
    local cell, cost = cells[part.key], part.fixed + (part.pays and least or 0)
    if not fits(cell, part.rule, cost) then
      if not (part.pays and part.holds) then return nil end
      local unspent, is_known = others(part, account)
      if not fits(cell, part.rule, cost) then
        local balance = cell[LIMIT] - used(cell, part.rule)
        local memory = part.rule.kind == BUCKET and cell[LIMIT] / 16 or MOST
        if account == 0 or is_known or balance + unspent < cost or cost > balance + memory then return nil end
        past[index] = true
      end
    end
  end
  return past
end

local gate = true

-- {gate, want, least, account, reservation, lease, firm, spent, receipts, n, n × {key, rule, fixed, pays, holds}}: all
-- parts pay or none does. Gate: 1, this one opens or closes it; 2, nothing is done behind a closed one.
local function charge()
  local opens, watches, want, least, account = p[at] == 1, p[at] == 2, p[at + 1], p[at + 2], p[at + 3]
  local id, till, firm, spent = p[at + 4], now + p[at + 5], p[at + 6], p[at + 7]
  local receipts, n = p[at + 8] == 1, p[at + 9]
  at = at + 10
  local parts, whole = {}, true
  for index = 1, n do
    local part = {key = p[at], rule = rules[p[at + 1]], fixed = p[at + 2], pays = p[at + 3] == 1, holds = holds_at(p[at + 4])}
    at, parts[index] = at + 5, part
    if not cell_of(part.key, part.rule) or (part.holds and not listable(part.holds)) then whole = false end
  end
  if watches and not gate then return say(2) end
  if not whole then
    if opens then gate = false end
    return say(3)
  end
  local out, past = room(parts, n, least, want), nil
  if not out and id > 0 then
    past = look_past(parts, n, least, account)
    if past then out = room(parts, n, least, want) or least end
  end
  if opens then gate = out ~= nil end
  if not out then
    say(0)
    return assess(parts, n, least)
  end
  say(1)
  say(out)
  for index = 1, n do
    local part = parts[index]
    local key, cell, rule = part.key, cells[part.key], part.rule
    local taken = take(key, cell, rule, part.fixed + (part.pays and out or 0))
    say(cell[LIMIT])
    say(remaining(cell, rule))
    say(reset_after(cell, rule))
    if receipts then
      say(taken)
      say(cell[SEEN])
      say(cell[BORN])
    end
    if id > 0 and part.pays and part.holds and out > spent then
      local hold = {account, min(out - spent, taken), cell[SEEN], cell[BORN], till, firm}
      redis.call('HSET', part.holds, id, cmsgpack.pack(hold))
      local lives = ceil(max(till - now, rule.window * 9 / 8) / 1000) + 1000
      redis.call('PEXPIRE', part.holds, given and max(lives, SEASONED / 1000) or lives)
    end
  end
end

-- {n, n × {key, rule, cost}}
local function peek()
  local n, parts = p[at], {}
  at = at + 1
  local whole = true
  for index = 1, n do
    parts[index] = {key = p[at], rule = rules[p[at + 1]], fixed = p[at + 2], pays = false}
    if not cell_of(parts[index].key, parts[index].rule) then whole = false end
    at = at + 3
  end
  if not whole then return say(3) end
  say(0)
  assess(parts, n, 0)
end

-- {n, n × {key, rule, holds}}
local function reset()
  local n, any = p[at], 0
  at = at + 1
  for _ = 1, n do
    local key, rule, holds = p[at], rules[p[at + 1]], holds_at(p[at + 2])
    at = at + 3
    local cell = cell_of(key, rule)
    if not cell or used(cell, rule) > 0 then any = 1 end
    redis.call('DEL', KEYS[key])
    if holds then redis.call('DEL', holds) end
    nonce = nonce + 1 -- what was taken before is of another life
    damaged[key], dirty[key], cells[key] = nil, nil, fresh(rule)
  end
  say(any)
end

-- {n, n × {key, rule, holds, reservation, listed, debit, receipts, receipts × {mark, born, units}}}: what is too much
-- is given back, what is missing is taken whether it fits or not.
local function settle()
  local n, held = p[at], 1
  at = at + 1
  for _ = 1, n do
    local key, rule, holds, id, listed = p[at], rules[p[at + 1]], holds_at(p[at + 2]), p[at + 3], p[at + 4]
    local debit, receipts = p[at + 5], p[at + 6]
    at = at + 7
    local cell, lost = cell_of(key, rule), 0
    if holds and id > 0 and listable(holds) and redis.call('HDEL', holds, id) == 0 then lost = listed end
    for _ = 1, receipts do
      local mark, born, units = p[at], p[at + 1], p[at + 2]
      at = at + 3
      local mine = max(0, units - lost)
      lost = max(0, lost - units)
      if not (cell and mine > 0 and give_back(key, cell, rule, mark, born, mine)) then held = 0 end
    end
    if cell and debit > 0 then take(key, cell, rule, debit) end
  end
  say(held)
end

-- {key, rule, mark, born}: a slot's lease begins anew.
local function renew()
  local key, rule, mark, born = p[at], rules[p[at + 1]], p[at + 2], p[at + 3]
  at = at + 4
  local cell = cell_of(key, rule)
  if not (cell and give_back(key, cell, rule, mark, born, 1)) then
    say(0)
    return
  end
  take(key, cell, rule, 1)
  say(1)
  say(cell[SEEN])
end

-- {holds, reservation, lease}: its owner lives.
local function beat()
  local holds, id, till = holds_at(p[at]), p[at + 1], now + p[at + 2]
  at = at + 3
  local found = listable(holds) and redis.call('HGET', holds, id)
  local hold = found and hold_of(found)
  if not hold then return say(0) end
  hold[5] = till
  redis.call('HSET', holds, id, cmsgpack.pack(hold))
  say(1)
end

local verbs = {charge, peek, reset, settle, renew, beat}
local last = #p
while at <= last do
  local verb = p[at]
  at = at + 1
  verbs[verb]()
end

for key, rule in pairs(dirty) do
  local cell, lives = cells[key], nil
  if rule.kind == BUCKET then
    lives = ceil(cell[FILL] * cell[SPAN] / cell[RATE]) + cell[SEEN] - now
  else
    lives = end_of(cell, rule, cell[SEEN]) - now
  end
  lives = lives + MARGIN
  if given then lives = max(lives, SEASONED) end
  redis.call('SET', KEYS[key], cmsgpack.pack(cell), 'PX', ceil(lives / 1000))
end
say(reclaimed)
return cmsgpack.pack(reply)
