-- gone: a member is proven gone, as its address refuses connections or another process answers there; its grace ends.
--
-- ARGV     2 incarnation
-- Returns  gone | unknown (it is no member), wait, run_id

if not exists then return { 'unknown', 0, run_id } end
begin()
local known = redis.call('HEXISTS', MEMBERS, ARGV[2]) == 1
if known then depart(ARGV[2]) end
local wait = publish()
settle()
return { known and 'gone' or 'unknown', wait, run_id }
