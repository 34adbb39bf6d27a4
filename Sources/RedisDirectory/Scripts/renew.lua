-- renew: extends a lease, and ends those that are over.
--
-- ARGV     2 incarnation, 3 sessions, 4 strays, 5 sessions at which the pod is full (0: no limit)
-- Returns  renewed, wait, run_id, lease in microseconds, version, digest, number of the newest order (0: none ever)
--          | lapsed, wait, run_id
--
-- The caller's own lease comes first: one that came late, and that nobody has removed, has missed nothing.

if not exists then return { 'lapsed', 0, run_id } end
advance_clock()
check_server()
local known = redis.call('ZSCORE', LEASES, ARGV[2])
if known then
  redis.call('ZADD', LEASES, integer(clock + lease), ARGV[2])
  redis.call('HSET', LOAD, ARGV[2], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
end
expire()
local wait = publish()
settle()
if not known then return { 'lapsed', wait, run_id } end
return { 'renewed', wait, run_id, integer(lease), integer(version), digest, redis.call('HGET', ORDERS, 'number') or '0' }
