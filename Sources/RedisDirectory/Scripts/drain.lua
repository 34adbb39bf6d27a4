-- drain: the member keeps its lease and its sessions, and owns nothing from the next view on.
--
-- ARGV     2 incarnation
-- Returns  draining | lapsed (no lease: it owns nothing anyway), wait, run_id

if not exists then return { 'lapsed', 0, run_id } end
begin()
local known = redis.call('ZSCORE', LEASES, ARGV[2])
if known then set_state(ARGV[2], 'draining') end
local wait = publish()
settle()
return { known and 'draining' or 'lapsed', wait, run_id }
