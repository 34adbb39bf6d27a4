-- restore: writes a record again with the epoch that it has, after the registry lost its data.
--
-- KEYS     1 the user's records
-- ARGV     1 session id, 2 value, 3 epoch in the value, 4 until when the caller waits, in the server's microseconds
-- Returns  late (nothing is written: the caller has given up, and its incarnation may be gone)
--          | restored, the value replaced ('' when there was none or the same)
--          | superseded, the stored value, whose epoch is larger | incompatible, the stored value

local time = redis.call('TIME')
if tonumber(time[1]) * 1000000 + tonumber(time[2]) > tonumber(ARGV[4]) then return { 'late' } end

local stored = redis.call('HGET', KEYS[1], ARGV[1])
if stored and string.match(stored, '^1 %d+ %d+ [^ ]+') == ARGV[2] then return { 'restored', '' } end
if stored then
  local epoch = string.match(stored, '^1 %d+ (%d+) ')
  if not epoch then return { 'incompatible', stored } end
  if tonumber(epoch) >= tonumber(ARGV[3]) then return { 'superseded', stored } end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return { 'restored', stored or '' }
