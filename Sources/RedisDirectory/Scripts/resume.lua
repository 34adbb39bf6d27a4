-- resume: the same incarnation back, after its lease ended or the registry lost its data.
--
-- ARGV     2 settings, 3 description, 4 incarnation, 5 version and 6 digest of the newest view that the pod knows
-- Returns  resumed, wait, run_id, incarnation, lease in microseconds, settled view, current view, settings
--          | departed, wait, run_id | incompatible, wait, run_id, stored format, stored settings
--
-- The floor keeps versions and incarnations growing although the registry forgot them; its digest goes into the next
-- one, so that the chain goes on. An incarnation that left or was written off does not come back: others have settled
-- without it and forgotten its strays.

if exists then
  advance_clock()
  expire()
end
if redis.call('HLEN', MEMBERS) == 0 then
  use_settings(ARGV[2])
elseif settings ~= ARGV[2] then
  local wait = publish()
  settle()
  return { 'incompatible', wait, run_id, format, settings }
end
if not exists then advance_clock() end
local incarnation = ARGV[4]
if redis.call('ZSCORE', DEPARTED, incarnation) or redis.call('ZSCORE', SWEPT, incarnation) then
  local wait = publish()
  settle()
  return { 'departed', wait, run_id }
end
newest = math.max(newest, tonumber(incarnation))
redis.call('HSET', META, 'incarnation', integer(newest))
if tonumber(ARGV[5]) > math.max(version, floor_version) then
  floor_version, floor_digest = tonumber(ARGV[5]), ARGV[6]
  redis.call('HSET', META, 'floor_version', ARGV[5], 'floor_digest', floor_digest)
end
set_member(incarnation, ARGV[3], 'active', '0')
redis.call('ZREM', GRACE, incarnation)
redis.call('ZADD', LEASES, integer(clock + lease), incarnation)
local wait = publish()
settle()
local settled, current = views()
return { 'resumed', wait, run_id, incarnation, integer(lease), settled, current, settings }
