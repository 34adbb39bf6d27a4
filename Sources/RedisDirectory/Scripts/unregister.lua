-- unregister: deletes a record if it is still the one that the caller means, or puts another in its place: the one before
-- it, when a move came to nothing; or itself, to strike out the one before when the move is over.
--
-- KEYS     1 the user's records
-- ARGV     1 session id, 2 value, 3 value to put in its place (none, or '': nothing)
-- Returns  1 (done), or what is stored instead ('' when nothing is)
--
-- A value names pod, incarnation and epoch, and there is one way to write it: values that are equal so far are equal
-- records, whatever is named as the one before.

local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored or (string.match(stored, '^1 %d+ %d+ [^ ]+') or stored) ~= ARGV[2] then return stored or '' end
if (ARGV[3] or '') == '' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
