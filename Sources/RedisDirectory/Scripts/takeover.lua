-- takeover: tells an incarnation that a session of its connected again.
--
-- KEYS     1 the incarnation's takeovers
-- ARGV     1 hint channel, 2 how many to keep, 3 lifetime in milliseconds, 4 user, 5 session, 6 new epoch, 7 new pod
-- Returns  1 when a hint was published, 0 when the incarnation has earlier ones to take and had its hint
--
-- A stream, because its reader deletes what it has read by id: a reply that is lost loses no takeover. It is bounded
-- and expires because the reader may be dead.

local first = redis.call('XLEN', KEYS[1]) == 0
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'user', ARGV[4], 'session', ARGV[5], 'epoch', ARGV[6],
  'pod', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if not first then return 0 end
redis.call('PUBLISH', ARGV[1], '1\ttakeover\n')
return 1
