-- Enters policies, so that of two quotas under one name the later one holds, whichever host is asked.
--
-- KEYS[1]: a hash. ARGV: now (µs, 0: the server's), then name and quota of each policy. Answers each one's time of entry.

local KEPT = 35 * 86400 -- seconds without a start of any worker: longer than most windows
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local stamps = {}
for at = 2, #ARGV, 2 do
  local name, quota = ARGV[at], ARGV[at + 1]
  local known = redis.call('HGET', KEYS[1], name)
  local stamp, same = 0, false
  if known then
    local number, text = string.match(known, '^(%d+) (.*)$')
    stamp, same = tonumber(number) or 0, text == quota
  end
  if not same then
    stamp = math.max(now, stamp + 1)
    redis.call('HSET', KEYS[1], name, string.format('%.0f %s', stamp, quota))
  end
  stamps[#stamps + 1] = string.format('%.0f', stamp)
end
redis.call('EXPIRE', KEYS[1], KEPT)
return stamps
