-- window: the settled and the current view; ends leases and publishes what is due, as every membership script does,
-- so that a cluster whose pods were all killed is cleaned up by whoever still looks.
--
-- Returns  window, wait, run_id, settled view ('' when none settled yet), current view, settings
--          | none, 0, '' (nobody ever joined) | incompatible, 0, run_id, stored format, stored settings

if not exists then return { 'none', 0, '' } end
if format ~= '1' then return { 'incompatible', 0, run_id, format, settings } end
advance_clock()
expire()
local wait = publish()
settle()
local settled, current = views()
return { 'window', wait, run_id, settled, current, settings }
