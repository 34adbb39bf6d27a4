-- leave: out of the view in good order, without grace. Again, or for one unknown: nothing happens.
--
-- ARGV     2 incarnation
-- Returns  left, wait, run_id

if not exists then return { 'left', 0, run_id } end
begin()
if redis.call('HEXISTS', MEMBERS, ARGV[2]) == 1 then depart(ARGV[2]) end
local wait = publish()
settle()
return { 'left', wait, run_id }
