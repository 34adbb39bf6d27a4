-- membership.lua: what every membership script begins with. It is not a script of its own: the directory puts it in
-- front of join, renew, resume, acknowledge, drain, leave, gone, window, status, order and rebalance.
--
-- KEYS  1 meta, 2 members, 3 leases, 4 grace, 5 load, 6 waiting, 7 pending, 8 departed, 9 swept
--       10 orders, 11 rebalance (Keys.swift says what each holds; all share the cluster's hash tag, hence one slot)
-- ARGV  1 channel of views; a script's own arguments follow
-- Every reply is an array that begins: status, microseconds until pending changes may be published (0: none are
-- pending; whoever gets another figure sees to a call by then), run_id of the server. What another version wrote is
-- answered by: incompatible, 0, run_id, stored format, stored settings.
--
-- Why a prelude: the rules of the registry clock, of leases and of publishing are the same whoever calls, and because
-- any call carries them out, no leader is needed. Numbers are doubles in Lua: exact to 2^53, which microseconds since
-- 1970 stay below until the year 2255; what has 64 bits (digests) is text.

local META, MEMBERS, LEASES, GRACE, LOAD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local WAITING, PENDING, DEPARTED, SWEPT = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local ORDERS, REBALANCE = KEYS[10], KEYS[11]
local CHANNEL = ARGV[1]
local GATHER = 100000
local NO_DIGEST = '0000000000000000'

-- tostring would round to 14 digits.
local function integer(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local stored = redis.call('HMGET', META, 'format', 'settings', 'run_id', 'clock', 'last', 'incarnation',
  'version', 'digest', 'published', 'settled_version', 'settled_digest', 'floor_version', 'floor_digest',
  'settles_from', 'admits_from')
local exists = stored[1] and true or false
local format, settings, run_id = stored[1] or '1', stored[2] or '', stored[3] or ''
local last = tonumber(stored[5] or now)
local clock, newest = tonumber(stored[4] or now), tonumber(stored[6] or 0)
local version, digest = tonumber(stored[7] or 0), stored[8] or NO_DIGEST
local published = tonumber(stored[9] or 0)
local settled_version, settled_digest = stored[10] or '0', stored[11] or NO_DIGEST
local floor_version, floor_digest = tonumber(stored[12] or 0), stored[13] or ''
-- By the registry clock; past, unless the registry recovers from a loss of data.
local settles_from, admits_from = tonumber(stored[14] or 0), tonumber(stored[15] or 0)

-- "renewal lease grace ring recovery"; all but the ring in microseconds. That is the tokens per weight, and where shares are
-- capped "/" and the cap in percent; it goes into every view.
local renewal, lease, grace, ring, recovery
local function read_settings()
  renewal, lease, grace, ring, recovery = string.match(settings, '^(%d+) (%d+) (%d+) (%d+/?%d*) (%d+)$')
  renewal, lease, grace = tonumber(renewal or 0), tonumber(lease or 0), tonumber(grace or 0)
  recovery = tonumber(recovery or 0)
end
read_settings()

-- Written by another version, or by something else: nothing is touched.
if exists and (format ~= '1' or not ring) then return { 'incompatible', 0, run_id, format, settings } end

local function use_settings(text)
  settings = text
  read_settings()
  redis.call('HSET', META, 'format', '1', 'settings', text)
end

-- The registry clock: TIME less silence. It advances by at most one renewal interval between two calls, so that
-- nobody's lease ends while Redis was away. It is written down, and leases are looked through, every twentieth of a
-- renewal interval at most: with a thousand members nearly all calls are spared both.
local is_due = not exists
local function advance_clock()
  local elapsed = now - last
  if elapsed < 0 then
    elapsed = 0
    is_due = true
  end
  if elapsed > renewal then elapsed = renewal end
  clock = clock + elapsed
  if elapsed >= renewal / 20 then is_due = true end
  if is_due then redis.call('HSET', META, 'clock', integer(clock), 'last', integer(now)) end
end

-- A member's value: "pod \t endpoint \t peer endpoint \t weight \t zone \t state \t since"; since 0 is filled in when
-- the view is published.
local function set_member(incarnation, description, state, since)
  redis.call('HSET', MEMBERS, incarnation, description .. '\t' .. state .. '\t' .. since)
  redis.call('SADD', PENDING, incarnation)
end

-- What an operator ordered for a pod, by its id: weight ('' for the pod's own), and active, cordoned or drained.
local function order_of(pod)
  local weight, state = string.match(redis.call('HGET', ORDERS, 'pod:' .. pod) or '', '^(%d*) (%l+)$')
  return weight or '', state or 'active'
end

-- A member that joins or resumes: active, with the weight that it names, unless an operator ordered otherwise.
local function set_as_ordered(incarnation, description, since)
  local pod, endpoints, weight, zone = string.match(description, '^([^\t]*)(\t[^\t]*\t[^\t]*)\t(%d+)(\t[^\t]*)$')
  if not pod then return set_member(incarnation, description, 'active', since) end
  local ordered_weight, ordered = order_of(pod)
  if ordered_weight ~= '' then
    redis.call('HSET', ORDERS, 'own:' .. incarnation, weight)
    weight = ordered_weight
  end
  set_member(incarnation, pod .. endpoints .. '\t' .. weight .. zone, ordered == 'active' and 'active' or 'cordoned', since)
end

local function set_state(incarnation, state)
  local value = redis.call('HGET', MEMBERS, incarnation)
  if not value then return end
  local description, since = string.match(value, '^(.*)\t[^\t]*\t([^\t]*)$')
  if description then set_member(incarnation, description, state, since) end
end

-- After a loss of data, or in a registry that is empty: no new member admits anybody until the claims of members that
-- the registry may have forgotten are over, and nothing settles until they have had the time to resume. Whoever is known
-- holds the view up by itself, for as long as lease and grace (Docs/registry.md, "Data loss").
local function hold_back()
  settles_from = math.max(settles_from, clock + recovery)
  admits_from = math.max(admits_from, clock + lease)
  redis.call('HSET', META, 'settles_from', integer(settles_from), 'admits_from', integer(admits_from))
end

-- No lease that is stored proves anything any more: its holder may have been removed by what was lost. So all count as in
-- grace, and resume with the views that they know.
local function void_all_leases()
  for _, incarnation in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
    redis.call('ZREM', LEASES, incarnation)
    redis.call('ZADD', GRACE, 0, incarnation)
    set_state(incarnation, 'grace')
  end
  for _, incarnation in ipairs(redis.call('ZRANGE', GRACE, 0, -1)) do
    redis.call('ZADD', GRACE, integer(clock + lease + grace), incarnation)
  end
  -- What was acknowledged counts no more, until a new view is made.
  for _, incarnation in ipairs(redis.call('HKEYS', MEMBERS)) do redis.call('SADD', WAITING, incarnation) end
  settled_version, settled_digest = '0', NO_DIGEST
  redis.call('HDEL', META, 'settled', 'settled_version', 'settled_digest')
  hold_back()
end

-- Another run_id is another process, which may have lost what the one before knew: a replica that was behind, a file
-- that was old. Looked at in every call, because one renewal granted on lost knowledge is enough for a wrong claim.
local function check_server()
  local found = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or 'unknown'
  if found == run_id then return end
  run_id = found
  redis.call('HSET', META, 'run_id', run_id)
  if exists and stored[3] then void_all_leases() end
end

-- Gone for good: left, past its grace, or proven gone. Its records are the sweeper's.
local function depart(incarnation)
  redis.call('HDEL', MEMBERS, incarnation)
  redis.call('HDEL', LOAD, incarnation)
  redis.call('ZREM', LEASES, incarnation)
  redis.call('ZREM', GRACE, incarnation)
  redis.call('SREM', WAITING, incarnation)
  redis.call('HDEL', ORDERS, 'own:' .. incarnation)
  redis.call('ZADD', DEPARTED, integer(clock), incarnation)
  redis.call('SADD', PENDING, incarnation)
end

local function expire()
  if not is_due then return end
  for _, incarnation in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', integer(clock))) do
    redis.call('ZREM', LEASES, incarnation)
    redis.call('ZADD', GRACE, integer(clock + grace), incarnation)
    set_state(incarnation, 'grace')
  end
  for _, incarnation in ipairs(redis.call('ZRANGEBYSCORE', GRACE, '-inf', integer(clock))) do
    depart(incarnation)
  end
end

-- What a call begins with, once there are settings; `renew` looks at the caller's lease before it ends others.
local function begin()
  advance_clock()
  check_server()
  expire()
end

-- The current view becomes the settled one when it waits for nobody any more.
local function settle()
  if clock < settles_from or version == 0 or (settled_version == integer(version) and settled_digest == digest) then return end
  if redis.call('EXISTS', WAITING) == 1 then return end
  settled_version, settled_digest = integer(version), digest
  redis.call('HSET', META, 'settled', redis.call('HGET', META, 'current') or '',
    'settled_version', settled_version, 'settled_digest', settled_digest)
  redis.call('PUBLISH', CHANNEL, '1\tsettled\t' .. settled_version .. '\t' .. settled_digest .. '\n')
end

local function fill_in_since(changed, new_version)
  for _, incarnation in ipairs(changed) do
    local value = redis.call('HGET', MEMBERS, incarnation)
    if value and string.sub(value, -2) == '\t0' then
      redis.call('HSET', MEMBERS, incarnation, string.sub(value, 1, -2) .. new_version)
    end
  end
end

-- All members by incarnation: their lines, their incarnations, how many.
local function member_lines()
  local flat, numbers, values = redis.call('HGETALL', MEMBERS), {}, {}
  for index = 1, #flat, 2 do
    local number = tonumber(flat[index])
    numbers[#numbers + 1] = number
    values[number] = flat[index] .. '\t' .. flat[index + 1] .. '\n'
  end
  table.sort(numbers)
  local lines = {}
  for index, number in ipairs(numbers) do lines[index] = values[number] end
  return lines, numbers
end

local function publish_difference(from_version, from_digest, changed, count)
  local parts = { '1\tchange\t' .. from_version .. '\t' .. from_digest .. '\t' .. integer(version) .. '\t' .. digest ..
    '\t' .. ring .. '\t' .. count .. '\t' .. integer(newest) .. '\t' .. settled_version .. '\t' .. settled_digest .. '\n' }
  for _, incarnation in ipairs(changed) do
    local value = redis.call('HGET', MEMBERS, incarnation)
    parts[#parts + 1] = value and ('+' .. incarnation .. '\t' .. value .. '\n') or ('-' .. incarnation .. '\n')
  end
  redis.call('PUBLISH', CHANNEL, table.concat(parts))
end

-- Makes a view of the pending changes, unless the last one is younger than the gathering time. Returns the
-- microseconds left until then, 0 when nothing is pending any more.
local function publish()
  if redis.call('EXISTS', PENDING) == 0 then return 0 end
  local age = now - published
  if age >= 0 and age < GATHER then return GATHER - age end
  local changed = redis.call('SMEMBERS', PENDING)
  local from_version, from_digest = integer(version), digest
  version = math.max(version, floor_version) + 1
  fill_in_since(changed, integer(version))
  local lines, numbers = member_lines()
  local body = table.concat(lines)
  digest = string.sub(redis.sha1hex(from_digest .. floor_digest .. integer(version) .. '\n' .. body), 1, 16)
  local head = '1\tview\t' .. integer(version) .. '\t' .. digest .. '\t' .. ring .. '\t' .. #numbers .. '\t' ..
    integer(newest) .. '\n'
  redis.call('HSET', META, 'current', head .. body, 'version', integer(version), 'digest', digest,
    'published', integer(now))
  redis.call('HDEL', META, 'floor_version', 'floor_digest')
  redis.call('DEL', PENDING, WAITING)
  for first = 1, #numbers, 500 do
    local names = {}
    for index = first, math.min(first + 499, #numbers) do names[#names + 1] = integer(numbers[index]) end
    redis.call('SADD', WAITING, unpack(names))
  end
  publish_difference(from_version, from_digest, changed, #numbers)
  settle()
  return 0
end

local function views()
  local blobs = redis.call('HMGET', META, 'settled', 'current')
  return blobs[1] or '', blobs[2] or ''
end
