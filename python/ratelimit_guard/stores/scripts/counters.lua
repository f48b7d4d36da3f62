-- The long way, first part: a counter as it is now, what it answers, what is taken and given back.

local rules, at = {}, 5
for index = 1, p[4] do
  local kind, limit, window, burst, stamp = p[at], p[at + 1], p[at + 2], p[at + 3], p[at + 4]
  local past = kind == STRICT and 8 or 1
  local sub = kind == STRICT and ceil(window / 8) or window
  rules[index] = {kind = kind, limit = limit, window = window, burst = burst, stamp = stamp, past = past, sub = sub}
  at = at + 5
end

local cells, dirty, damaged = {}, {}, {}

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
  if lists[key] == nil then
    local answer = redis.pcall('HLEN', key)
    lists[key] = type(answer) == 'number'
    if not lists[key] and not string.find(answer.err, 'WRONGTYPE', 1, true) then error(answer.err) end
  end
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
