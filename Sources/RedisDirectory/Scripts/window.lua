-- window: the settled and the current view; ends leases and publishes what is due, as every membership script does,
-- so that a cluster whose pods were all killed is cleaned up by whoever still looks.
--
-- Returns  window, wait, run_id, settled view ('' when none settled yet), current view, settings
--          | none, 0, '' (nobody ever joined)

if not exists then return { 'none', 0, '' } end
begin()
local wait = publish()
settle()
local settled, current = views()
return { 'window', wait, run_id, settled, current, settings }
