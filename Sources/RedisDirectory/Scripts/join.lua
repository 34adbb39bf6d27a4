-- join: a new incarnation, active in the next view, or as an operator ordered for its pod.
--
-- ARGV     2 settings "renewal lease grace ring recovery", 3 description "pod \t endpoint \t peer \t weight \t zone"
-- Returns  joined, wait, run_id, incarnation, lease in microseconds, microseconds in which it may not admit anybody,
--          settled view, current view, settings
--          | incompatible, wait, run_id, stored format, stored settings
--
-- An empty registry is a new one, or one that lost everything: nothing in it tells. So its first members admit nobody
-- for one lease, in which claims of members that it forgot end, and nothing settles for a while, in which they resume.
--
-- The incarnation is the larger of the counter + 1 and the server's microseconds, so that it is not given twice even
-- when the counter was lost. The first to join decides the settings, and so does one who finds no member at all.

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
if not exists then
  begin()
  hold_back()
end
newest = math.max(newest + 1, now)
redis.call('HSET', META, 'incarnation', integer(newest))
local incarnation = integer(newest)
set_as_ordered(incarnation, ARGV[3], '0')
redis.call('ZADD', LEASES, integer(clock + lease), incarnation)
local wait = publish()
settle()
local settled, current = views()
local admits = integer(math.max(admits_from - clock, 0))
return { 'joined', wait, run_id, incarnation, integer(lease), admits, settled, current, settings }
