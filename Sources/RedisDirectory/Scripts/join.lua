-- join: a new incarnation, active in the next view.
--
-- ARGV     2 settings "renewal lease grace tokens", 3 description "pod \t endpoint \t peer \t weight \t zone"
-- Returns  joined, wait, run_id, incarnation, lease in microseconds, settled view, current view, settings
--          | incompatible, wait, run_id, stored format, stored settings
--
-- The incarnation is the larger of the counter + 1 and the server's microseconds, so that it is not given twice even
-- when the counter was lost. The first to join decides the settings, and so does one who finds no member at all.

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
newest = math.max(newest + 1, now)
redis.call('HSET', META, 'incarnation', integer(newest))
local incarnation = integer(newest)
set_member(incarnation, ARGV[3], 'active', '0')
redis.call('ZADD', LEASES, integer(clock + lease), incarnation)
local wait = publish()
settle()
local settled, current = views()
return { 'joined', wait, run_id, incarnation, integer(lease), settled, current, settings }
