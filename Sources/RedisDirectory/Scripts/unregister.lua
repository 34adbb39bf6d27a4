-- unregister: deletes a record if it is still the one that the caller means.
--
-- KEYS     1 the user's records
-- ARGV     1 session id, 2 value
-- Returns  1 (deleted), or what is stored instead ('' when nothing is)
--
-- A value names pod, incarnation and epoch, and there is one way to write it: equal values are equal records.

local stored = redis.call('HGET', KEYS[1], ARGV[1])
if stored ~= ARGV[2] then return stored or '' end
return redis.call('HDEL', KEYS[1], ARGV[1])
