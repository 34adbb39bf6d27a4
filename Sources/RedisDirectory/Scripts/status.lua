-- status: every member with what is left of its lease, for people who look at the ring.
--
-- Returns  status, wait, run_id, then for each member: line, microseconds left (0 in grace), "sessions strays limit"
--
-- Writes nothing: looking at a cluster does not change it.

local reply = { 'status', 0, run_id }
local idle = math.min(math.max(now - last, 0), renewal)
for _, line in ipairs((member_lines())) do
  local incarnation = string.match(line, '^%d+')
  local ends = redis.call('ZSCORE', LEASES, incarnation)
  local left = ends and math.max(tonumber(ends) - clock - idle, 0) or 0
  reply[#reply + 1] = string.sub(line, 1, -2)
  reply[#reply + 1] = integer(left)
  reply[#reply + 1] = redis.call('HGET', LOAD, incarnation) or '0 0 0'
end
return reply
