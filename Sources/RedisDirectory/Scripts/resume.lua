-- resume: the same incarnation back, after its lease ended or the registry lost its data.
--
-- ARGV     2 settings, 3 description, 4 incarnation, 5 version, 6 digest and 7 members of the newest
--          view that the pod knows, a line each
-- Returns  resumed, wait, run_id, incarnation, lease in microseconds, 0, settled view, current view, settings
--          | departed, wait, run_id | incompatible, wait, run_id, stored format, stored settings
--
-- The floor keeps versions and incarnations growing although the registry forgot them; its digest goes into the next
-- one, so that the chain goes on. Whom the registry has forgotten, the pod that resumes and the members of its view, counts
-- as in grace until it resumes. An incarnation that left or was written off does not come back: others have settled
-- without it and forgotten its strays.

if exists then
  begin()
end
if redis.call('HLEN', MEMBERS) == 0 then
  use_settings(ARGV[2])
elseif settings ~= ARGV[2] then
  local wait = publish()
  settle()
  return { 'incompatible', wait, run_id, format, settings }
end
if not exists then begin() end
local incarnation = ARGV[4]
if redis.call('ZSCORE', DEPARTED, incarnation) or redis.call('ZSCORE', SWEPT, incarnation) then
  local wait = publish()
  settle()
  return { 'departed', wait, run_id }
end
if redis.call('HEXISTS', MEMBERS, incarnation) == 0 then
  hold_back()
  for line in string.gmatch(ARGV[7], '[^\n]+') do
    local other, value, since = string.match(line, '^(%d+)\t(.*)\t[^\t]*\t(%d+)$')
    if other and redis.call('HEXISTS', MEMBERS, other) == 0 and not redis.call('ZSCORE', DEPARTED, other)
      and not redis.call('ZSCORE', SWEPT, other) then
      set_member(other, value, 'grace', since)
      redis.call('ZADD', GRACE, integer(clock + lease + grace), other)
      newest = math.max(newest, tonumber(other))
    end
  end
end
newest = math.max(newest, tonumber(incarnation))
redis.call('HSET', META, 'incarnation', integer(newest))
if tonumber(ARGV[5]) > math.max(version, floor_version) then
  floor_version, floor_digest = tonumber(ARGV[5]), ARGV[6]
  redis.call('HSET', META, 'floor_version', ARGV[5], 'floor_digest', floor_digest)
end
set_as_ordered(incarnation, ARGV[3], '0')
redis.call('ZREM', GRACE, incarnation)
redis.call('ZADD', LEASES, integer(clock + lease), incarnation)
local wait = publish()
settle()
local settled, current = views()
return { 'resumed', wait, run_id, incarnation, integer(lease), '0', settled, current, settings }
