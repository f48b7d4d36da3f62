-- The long way, second part: the questions, one after the other, and what was changed is written.

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

-- All parts pay or none does; the answers. `want` beyond `least` is output that may be had, `call` who asks for it.
local function pay(parts, n, least, want, opens, call)
  local out, past = room(parts, n, least, want), nil
  if not out and call and call.id > 0 then
    past = look_past(parts, n, least, call.account)
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
    local cell, rule = cells[part.key], part.rule
    local taken = take(part.key, cell, rule, part.fixed + (part.pays and out or 0))
    say(cell[LIMIT])
    say(remaining(cell, rule))
    say(reset_after(cell, rule))
    if call then
      if call.receipts then
        say(taken)
        say(cell[SEEN])
        say(cell[BORN])
      end
      if call.id > 0 and part.pays and part.holds and out > call.spent then
        local till = now + call.lease
        local hold = {call.account, min(out - call.spent, taken), cell[SEEN], cell[BORN], till, call.firm}
        redis.call('HSET', part.holds, call.id, cmsgpack.pack(hold))
        local lives = ceil(max(call.lease, rule.window * 9 / 8) / 1000) + 1000
        redis.call('PEXPIRE', part.holds, given and max(lives, SEASONED / 1000) or lives)
      end
    end
  end
end

-- Counters as they are now; false when one of them is not ours.
local function known(parts, n)
  local whole = true
  for index = 1, n do
    local holds = parts[index].holds
    if not cell_of(parts[index].key, parts[index].rule) or (holds and not listable(holds)) then whole = false end
  end
  return whole
end

-- Is there nothing to be done, because the gate is closed or a counter damaged? Then it is said.
local function is_barred(parts, n, opens, watches)
  local whole = known(parts, n)
  if watches and not gate then
    say(2)
  elseif not whole then
    if opens then gate = false end
    say(3)
  end
  return (watches and not gate) or not whole
end

-- {gate, want, least, account, reservation, lease, firm, spent, receipts, n, n × {key, rule, fixed, pays, holds}}
-- Gate: 1, this one opens or closes it; 2, nothing is done behind a closed one.
local function charge()
  local opens, watches, want, least = p[at] == 1, p[at] == 2, p[at + 1], p[at + 2]
  local call = {account = p[at + 3], id = p[at + 4], lease = p[at + 5], firm = p[at + 6], spent = p[at + 7]}
  call.receipts = p[at + 8] == 1
  local parts, n = {}, p[at + 9]
  at = at + 10
  for index = 1, n do
    parts[index] =
      {key = p[at], rule = rules[p[at + 1]], fixed = p[at + 2], pays = p[at + 3] == 1, holds = holds_at(p[at + 4])}
    at = at + 5
  end
  if not is_barred(parts, n, opens, watches) then pay(parts, n, least, want, opens, call) end
end

-- {gate, n, n × {key, rule, cost}}: nothing of it is ever given back.
local function plain()
  local opens, watches, n, parts = p[at] == 1, p[at] == 2, p[at + 1], {}
  at = at + 2
  for index = 1, n do
    parts[index] = {key = p[at], rule = rules[p[at + 1]], fixed = p[at + 2], pays = false}
    at = at + 3
  end
  if not is_barred(parts, n, opens, watches) then pay(parts, n, 0, 0, opens, nil) end
end

-- {n, n × {key, rule, cost}}
local function peek()
  local n, parts = p[at], {}
  at = at + 1
  for index = 1, n do
    parts[index] = {key = p[at], rule = rules[p[at + 1]], fixed = p[at + 2], pays = false}
    at = at + 3
  end
  if not known(parts, n) then return say(3) end
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

local verbs = {charge, peek, reset, settle, renew, beat, plain}
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
