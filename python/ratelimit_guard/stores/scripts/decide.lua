-- One script in three files (script.py joins them): this one, counters.lua, questions.lua.
--
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

local first, last = 5 + 5 * p[4], #p
local raw = counters > 0 and redis.call('MGET', unpack(KEYS, 1, counters)) or {}

-- The usual batch: plain charges that all fit, of counters that stand as their policies say. One pass without a call;
-- nil when it is not that, and then nothing was written.
local function usual()
  local reply, size, at, cells, lives = {now}, 1, first, {}, {}
  while at <= last do
    if p[at] ~= 7 then return nil end
    local n = p[at + 2]
    at, size = at + 3, size + 2
    reply[size - 1], reply[size] = 1, 0
    for _ = 1, n do
      local key, rule, cost = p[at], 5 * p[at + 1], p[at + 2]
      local kind, stamp, cell = p[rule], p[rule + 4], cells[key]
      at = at + 3
      if cost == 0 then return nil end
      if not cell then
        local value = raw[key]
        if value then
          cell = cmsgpack.unpack(value)
          if #cell ~= (kind == STRICT and 14 or 7) then return nil end
        elseif redis.call('EXISTS', KEYS[key]) == 1 then
          return nil
        elseif kind == BUCKET then
          cell = {stamp, p[rule + 3], p[rule + 2], nonce, now, p[rule + 1], 0}
        elseif kind == STRICT then
          local sub = ceil(p[rule + 2] / 8)
          cell = {stamp, p[rule + 1], sub, nonce, floor(now / sub), 0, 0, 0, 0, 0, 0, 0, 0, 0}
        else
          cell = {stamp, p[rule + 1], p[rule + 2], nonce, floor(now / p[rule + 2]), 0, 0}
        end
        cells[key] = cell
      end
      if cell[STAMP] ~= stamp then return nil end
      local limit, span, seen = cell[LIMIT], cell[SPAN], cell[SEEN]
      local left, ends
      if kind == BUCKET then
        local fill = cell[FILL]
        if now < seen then return nil end
        if now > seen then
          fill, seen = max(0, fill - (now - seen) * cell[RATE] / span), now
        end
        fill = fill + cost
        left = limit * (1 + EPS) - fill
        if left < 0 then return nil end
        cell[FILL], cell[SEEN] = fill, seen
        ends = ceil(fill * span / cell[RATE]) + seen - now
      else
        local past = kind == STRICT and 8 or 1
        local epoch = floor(now / span)
        if epoch < seen then return nil end
        if epoch > seen then
          for old = max(seen + 1, epoch - past), epoch do cell[RING + old % (past + 1)] = 0 end
          cell[SEEN], seen = epoch, epoch
        end
        local units
        if kind == STRICT then
          units = cell[6] + cell[7] + cell[8] + cell[9] + cell[10] + cell[11] + cell[12] + cell[13] + cell[14]
        else
          local rest = (seen + 1) * span - max(now, seen * span)
          units = ceil(cell[RING + (seen + 1) % 2] * rest / span) + cell[RING + seen % 2]
        end
        left = limit - units - cost
        if left < 0 then return nil end
        local place = RING + seen % (past + 1)
        cell[place] = cell[place] + cost
        ends = (seen + past + 1) * span - now
      end
      lives[key] = ends
      reply[size + 1], reply[size + 2], reply[size + 3] = limit, floor(left), ends
      size = size + 3
    end
  end
  for key, ends in pairs(lives) do
    local life = ends + MARGIN
    if given then life = max(life, SEASONED) end
    redis.call('SET', KEYS[key], cmsgpack.pack(cells[key]), 'PX', ceil(life / 1000))
  end
  reply[size + 1] = 0
  return cmsgpack.pack(reply)
end

local fine, told = pcall(usual)
if fine and told then return told end
