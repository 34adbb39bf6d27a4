-- rebalance: the one rebalance that a cluster may have under way, and how far it is.
--
-- ARGV     2 'start', 3 id, 4 version and 5 digest of the view that it was planned for, 6 parameters (text that only programs
--            read), 7 microseconds that it may take, 8 a line for each source: incarnation, tab, sessions planned
--          | 'progress', 3 id, 4 incarnation, 5 "moved failed ended left", 6 '1' when nothing is left that it could do
--          | 'stop', 3 id ('': whatever is under way)
--          | 'read'
-- Returns  job, wait, run_id, id, state, version, digest, parameters, started, ended ('0': not yet), TIME, then for each
--            source: incarnation, planned, "moved failed ended left", '1' when it has done what it could
--          | none (there was no rebalance yet, or it is not the one of that id), wait, run_id
--          | busy (another one is under way): as job
--          | stale (the current view is another one), wait, run_id, version, digest
-- States: running, stopping, done, stopped. Times are the server's, in microseconds.
--
-- The pods do the moving, each its own sessions, and report here. So whoever started it may die: it goes on, and anybody can
-- look, or stop it. Whoever calls finds out whether it has ended: when each source has done what it could or is a member no
-- more. Past its time it is stopped; what is under way then has two minutes, after which a source that says nothing (it hangs,
-- or is of another version) is waited for no more, or no other rebalance could ever begin.

if not exists then return { 'none', 0, run_id } end
local STOPPING = 120000000
begin()
local wait = publish()
settle()

local function field(name) return redis.call('HGET', REBALANCE, name) or '' end

local function sources()
  local found = {}
  for line in string.gmatch(field('sources'), '[^\n]+') do
    local incarnation, planned = string.match(line, '^(%d+)\t(%d+)$')
    if incarnation then found[#found + 1] = { incarnation, planned } end
  end
  return found
end

local function has_done(incarnation)
  return field('done:' .. incarnation) == '1' or redis.call('HEXISTS', MEMBERS, incarnation) == 0
end

local function begin_to_stop()
  redis.call('HSET', REBALANCE, 'state', 'stopping', 'stops', integer(now + STOPPING))
  redis.call('HINCRBY', ORDERS, 'number', 1)
end

local function end_if_over()
  local state = field('state')
  if state ~= 'running' and state ~= 'stopping' then return end
  if state == 'running' and now > tonumber(field('ends')) then
    state = 'stopping'
    begin_to_stop()
  end
  local is_given_up = state == 'stopping' and now > (tonumber(field('stops')) or now)
  for _, source in ipairs(sources()) do
    if not has_done(source[1]) and not is_given_up then return end
  end
  redis.call('HSET', REBALANCE, 'state', state == 'running' and 'done' or 'stopped', 'ended', integer(now))
  redis.call('HINCRBY', ORDERS, 'number', 1)
end

local function job(status)
  local answer = { status, wait, run_id, field('id'), field('state'), field('version'), field('digest'), field('parameters'),
    field('started'), field('ended'), integer(now) }
  for _, source in ipairs(sources()) do
    local progress = field('progress:' .. source[1])
    answer[#answer + 1] = source[1]
    answer[#answer + 1] = source[2]
    answer[#answer + 1] = progress == '' and '0 0 0 ' .. source[2] or progress
    answer[#answer + 1] = has_done(source[1]) and '1' or '0'
  end
  return answer
end

end_if_over()
local is_under_way = field('state') == 'running' or field('state') == 'stopping'
local what, id = ARGV[2], ARGV[3]
if what == 'start' then
  if is_under_way then return job('busy') end
  if ARGV[4] ~= integer(version) or ARGV[5] ~= digest then return { 'stale', wait, run_id, integer(version), digest } end
  redis.call('DEL', REBALANCE)
  redis.call('HSET', REBALANCE, 'id', id, 'state', 'running', 'version', ARGV[4], 'digest', ARGV[5], 'parameters', ARGV[6],
    'started', integer(now), 'ended', '0', 'ends', integer(now + tonumber(ARGV[7])), 'sources', ARGV[8])
  redis.call('HINCRBY', ORDERS, 'number', 1)
  return job('job')
end
if field('id') == '' then return { 'none', wait, run_id } end
if what ~= 'read' and id ~= '' and id ~= field('id') then return { 'none', wait, run_id } end
if what == 'progress' then
  redis.call('HSET', REBALANCE, 'progress:' .. ARGV[4], ARGV[5], 'done:' .. ARGV[4], ARGV[6])
elseif what == 'stop' and is_under_way then
  if field('state') == 'running' then begin_to_stop() end
end
end_if_over()
return job('job')
