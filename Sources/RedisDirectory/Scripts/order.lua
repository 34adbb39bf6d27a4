-- order: an operator's word on a pod, or on all.
--
-- ARGV     2 what: 'pod', 3 pod id, 4 weight ('' keeps what was ordered, 'own' gives the pod's own back), 5 state
--            ('' keeps what was ordered; active, cordoned, drained)
--          | 'homing', 3 on or off
--          | 'read'
-- Returns  ordered, wait, run_id, number, homing, then for each pod with an order: pod id, weight ('' for its own), state
--          | unknown (no member has that pod id, and none had an order), wait, run_id
--
-- Orders are of a pod id, so that they outlive its process; they are gone with the registry's data, and then the pods are
-- as their own settings have them. A member that leaves by itself stays draining whatever is ordered.

if not exists then return { 'unknown', 0, run_id } end
begin()

local function reply(wait)
  local answer = { 'ordered', wait, run_id, redis.call('HGET', ORDERS, 'number') or '0',
    redis.call('HGET', ORDERS, 'homing') or 'on' }
  local flat, pods, values = redis.call('HGETALL', ORDERS), {}, {}
  for index = 1, #flat, 2 do
    local pod = string.match(flat[index], '^pod:(.*)$')
    if pod then
      pods[#pods + 1] = pod
      values[pod] = flat[index + 1]
    end
  end
  table.sort(pods)
  for _, pod in ipairs(pods) do
    local weight, state = string.match(values[pod], '^(%d*) (%l+)$')
    answer[#answer + 1] = pod
    answer[#answer + 1] = weight or ''
    answer[#answer + 1] = state or 'active'
  end
  return answer
end

local function order_pod(pod, new_weight, new_state)
  local weight, state = order_of(pod)
  local known = redis.call('HEXISTS', ORDERS, 'pod:' .. pod) == 1
  if new_weight == 'own' then weight = '' elseif new_weight ~= '' then weight = new_weight end
  if new_state ~= '' then state = new_state end
  local wanted = state == 'active' and 'active' or 'cordoned'
  local flat = redis.call('HGETALL', MEMBERS)
  for index = 1, #flat, 2 do
    local id, endpoints, own, zone, now_state, since, joined_with =
      string.match(flat[index + 1], '^([^\t]*)(\t[^\t]*\t[^\t]*)\t(%d+)(\t[^\t]*)\t([^\t]*)\t([^\t]*)$')
    if id == pod then
      known = true
      -- What it joined with is needed when its own weight is to hold again.
      if redis.call('HEXISTS', ORDERS, 'own:' .. flat[index]) == 0 then
        redis.call('HSET', ORDERS, 'own:' .. flat[index], own)
      end
      local next_weight = weight
      if next_weight == '' then next_weight = redis.call('HGET', ORDERS, 'own:' .. flat[index]) end
      local next_state = now_state
      if now_state == 'active' or now_state == 'cordoned' then next_state = wanted end
      if next_weight ~= own or next_state ~= now_state then
        set_member(flat[index], pod .. endpoints .. '\t' .. next_weight .. zone, next_state, since)
      end
    end
  end
  if not known then return false end
  if weight == '' and state == 'active' then
    redis.call('HDEL', ORDERS, 'pod:' .. pod)
  else
    redis.call('HSET', ORDERS, 'pod:' .. pod, weight .. ' ' .. state)
  end
  return true
end

local known = true
if ARGV[2] == 'pod' then
  known = order_pod(ARGV[3], ARGV[4], ARGV[5])
elseif ARGV[2] == 'homing' then
  redis.call('HSET', ORDERS, 'homing', ARGV[3])
end
if known and ARGV[2] ~= 'read' then redis.call('HINCRBY', ORDERS, 'number', 1) end
local wait = publish()
settle()
if not known then return { 'unknown', wait, run_id } end
return reply(wait)
