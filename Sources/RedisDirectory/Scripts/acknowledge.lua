-- acknowledge: a member has done for the current view what rule R2 asks; finds out whether the view settled.
--
-- ARGV     2 incarnation, 3 version, 4 digest of the view acknowledged
-- Returns  acknowledged | stale (the view is not current, or the incarnation is no member), wait, run_id
--
-- `waiting` holds whom the current view still waits for, so an acknowledgement costs the same however many members
-- there are, and one for an earlier view finds nothing to strike out.

if not exists then return { 'stale', 0, run_id } end
begin()
local wait = publish()
local status = 'stale'
if ARGV[3] == integer(version) and ARGV[4] == digest and redis.call('HEXISTS', MEMBERS, ARGV[2]) == 1 then
  redis.call('SREM', WAITING, ARGV[2])
  status = 'acknowledged'
end
settle()
return { status, wait, run_id }
