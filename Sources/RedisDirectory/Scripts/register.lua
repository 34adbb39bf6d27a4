-- register: writes the record of a session with a new epoch.
--
-- KEYS     1 the user's records
-- ARGV     1 session id, 2 pod id, 3 incarnation, 4 the last epoch that the client knows, 5 until when the caller waits,
--          in the server's microseconds, 6 'move': the old stream lives on, and the value names its record as the one before
-- Returns  registered, the server's microseconds, epoch, the value replaced ('' when there was none)
--          | late, the server's microseconds (the caller has given up, and so has its client: nothing is written)
--          | incompatible, value (the stored record is of a format that this version can't read)
--
-- The epoch is the largest of the stored one + 1, the client's last + 1 and the server's microseconds: it grows with
-- every connect, and goes on growing when the record was lost. A client's epoch from more than a year ahead was never
-- given by a registry and is ignored. A registration that ran when its client was already elsewhere would take the session
-- over from there, for a stream that is no more; hence the time limit. The format of a value is in RecordCoding.swift.

local YEAR = 31557600000000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(ARGV[4])
if last > now + YEAR then last = 0 end

local now_text = string.format('%.0f', now)
if now > tonumber(ARGV[5]) then return { 'late', now_text } end

local stored = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local stored_epoch = string.match(stored, '^1 %d+ (%d+) ')
if stored ~= '' and not stored_epoch then return { 'incompatible', stored } end
local epoch = string.format('%.0f', math.max(tonumber(stored_epoch or 0) + 1, last + 1, now))
local value = '1 ' .. ARGV[3] .. ' ' .. epoch .. ' ' .. ARGV[2]
local before = string.match(stored, '^1( %d+ %d+ [^ ]+)')
if ARGV[6] == 'move' and before then value = value .. before end
redis.call('HSET', KEYS[1], ARGV[1], value)
return { 'registered', now_text, epoch, stored }
