#!lua name=peakline
-- version 1
--
-- peakline - reads a partition's state inside Redis, so that a reader needs no decoder.
--
--   FCALL_RO peakline_parcel    1 '{GROUP:TOPIC:PARTITION}:mark' NUMBER
--   FCALL_RO peakline_alerts    1 '{GROUP:TOPIC:PARTITION}:mark' [LIMIT]
--   FCALL_RO peakline_partition 0 NUMBER PARTITIONS
--   FCALL_RO peakline_version   0
--
-- peakline_parcel answers the JSON of GET /v1/parcels/NUMBER, nil when this partition has no
-- such parcel; NUMBER may be the carrier's.  peakline_alerts answers up to LIMIT (100; at most
-- 10000) of the partition's open alerts, as they were sent, in no order.  peakline_partition
-- says where a number is at home.
--
-- The layout of a record is stages/parcel/record.c's.  A Lua number holds 53 bits, so a word of
-- 64 is two of 32.  A change here wants a higher version in the second line: a running Peakline
-- replaces an older library, never a newer one.

local VERSION = 1
local FORMAT_BEFORE, FORMAT, MARK_FORMAT = 1, 2, 1

local STATES = {[0] = 'unknown', 'labelled', 'declared to customs', 'collected', 'in transit',
    'in export customs', 'on the line-haul', 'in import customs', 'with the courier',
    'waiting at a station', 'delivered', 'returning', 'returned', 'lost', 'destroyed', 'cancelled'}
local CODES = {'LABEL', 'DECLARED', 'PICKUP', 'ARRIVE', 'DEPART', 'SORT', 'LOAD', 'UNLOAD',
    'HANDOVER', 'EXPORT_IN', 'EXPORT_HELD', 'EXPORT_OUT', 'UPLIFT', 'LANDED', 'IMPORT_IN',
    'IMPORT_HELD', 'IMPORT_OUT', 'OUT_FOR_DELIVERY', 'ATTEMPT_FAILED', 'STATION_IN', 'DELIVERED',
    'RETURN_START', 'RETURNED', 'REROUTED', 'DAMAGED', 'REFUSED', 'BAD_ADDRESS', 'LOST',
    'DESTROYED', 'CANCELLED', 'INFO'}
local FLAGS = {'returning', 'partial', 'cross-border', 'arrived', 'tombstone', 'historic'}
-- The ends of a parcel, as a tombstone numbers them: state, code.
local ENDS = {[0] = {10, 21}, {12, 23}, {13, 28}, {14, 29}, {15, 30}}

-- Arithmetic ------------------------------------------------------------------

local function times32(a, b)
    local low = a % 65536
    return (low * b + (a - low) / 65536 * b % 65536 * 65536) % 4294967296
end

local function xor32(a, b)
    return bit.bxor(a, b) % 4294967296
end

local function shifted(a, by)
    return math.floor(a / 2 ^ by)
end

-- Java's murmur2 of a key, made positive.
local function murmur2(key)
    local m, h, whole = 0x5bd1e995, xor32(0x9747b28c, #key), #key - #key % 4
    for i = 1, whole, 4 do
        local k = times32(struct.unpack('<I4', key, i), m)
        k = times32(xor32(k, shifted(k, 24)), m)
        h = xor32(times32(h, m), k)
    end
    if whole < #key then
        local k = 0
        for i = #key, whole + 1, -1 do k = k * 256 + key:byte(i) end
        h = times32(xor32(h, k), m)
    end
    h = times32(xor32(h, shifted(h, 13)), m)
    return xor32(h, shifted(h, 15)) % 2147483648
end

-- `width` bits of the word high:low, from bit `from` (12 or more where they cross the middle).
local function bits(low, high, from, width)
    if from >= 32 then return shifted(high, from - 32) % 2 ^ width end
    if from + width <= 32 then return shifted(low, from) % 2 ^ width end
    return (shifted(low, from) + high * 2 ^ (32 - from)) % 2 ^ width
end

-- RFC 3339 of Unix seconds.
local function time_text(unix_s, ms)
    local days = math.floor(unix_s / 86400)
    local rest, z = unix_s - days * 86400, days + 719468
    local era = math.floor(z / 146097)
    local doe = z - era * 146097
    local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
                            - math.floor(doe / 146096)) / 365)
    local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
    local mp = math.floor((5 * doy + 2) / 153)
    local month = mp < 10 and mp + 3 or mp - 9
    return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ',
        yoe + era * 400 + (month <= 2 and 1 or 0), month,
        doy - math.floor((153 * mp + 2) / 5) + 1, math.floor(rest / 3600),
        math.floor(rest / 60) % 60, rest % 60, ms or 0)
end

-- JSON ------------------------------------------------------------------------
-- By hand: cjson.encode has no order, makes objects of empty lists and rounds large numbers.

local function object()
    return {}
end

local function put(o, name, text)
    o[#o + 1] = '"' .. name .. '":' .. text
end

local function put_text(o, name, text)
    if text and text ~= '' then put(o, name, cjson.encode(text)) end
end

local function put_time(o, name, unix_s)
    if unix_s and unix_s > 0 then put(o, name, '"' .. time_text(unix_s) .. '"') end
end

local function closed(o)
    return '{' .. table.concat(o, ',') .. '}'
end

-- A record --------------------------------------------------------------------

-- Bytes, taken from the front; what is cut short raises an error.
local function reader(data)
    local r = {at = 1}
    function r.take(form)
        local found = {struct.unpack('<' .. form, data, r.at)}
        r.at = table.remove(found)
        return unpack(found)
    end
    function r.bytes(count)
        if r.at + count > #data + 1 then error('cut short') end
        r.at = r.at + count
        return data:sub(r.at - count, r.at - 1)
    end
    return r
end

local function take_alerts(r)
    local ids = {}
    for i = 1, r.take('B') do
        local low, high = r.take('I4I4')
        r.bytes(32)
        ids[i] = string.format('%08x%08x', high, low)
    end
    return ids
end

local function has(flags, at)
    return shifted(flags, at) % 2 == 1
end

-- Weights, positions, documents and the courier: passed over.
local function take_facts(r)
    local which = r.take('B')
    for i, size in ipairs({4, 4, 8, 8}) do
        if has(which, i - 1) then r.bytes(size) end
    end
    if has(which, 4) then r.bytes(4 * r.take('B')) end
    if has(which, 5) then r.bytes(r.take('B')) end
end

-- What a record has or has not; bits of its byte `present`.
local function take_optional(r, p, present)
    if has(present, 0) then
        for _ = 1, r.take('B') do r.bytes(5) end
    end
    if has(present, 1) then p.promise_s = r.take('I4') end
    if has(present, 2) then
        local _
        _, p.eta_s, p.eta_sequence = r.take('I4I4I2')
        r.bytes(1)
    end
    if has(present, 3) then r.bytes(4) end
    if has(present, 4) then p.carrier_number = r.bytes(r.take('B')) end
    if has(present, 5) then p.alerts = take_alerts(r) end
    if has(present, 6) then take_alerts(r) end
    if has(present, 7) then take_facts(r) end
end

local function take_live(r)
    local p, _, length, present, count, dl, dh, wl, wh = {}
    _, length, p.flags, p.life, present, count, dl, dh, wl, wh, p.base_s, p.state_s =
        r.take('BBHHBBI4I4I4I4I4I4')
    p.number = r.bytes(16):sub(1, length)
    if length > 16 then p.number = p.number .. r.bytes(length - 16) end
    p.dest, p.carrier = bits(dl, dh, 0, 20), bits(dl, dh, 20, 20)
    p.code, p.attempts, p.service = bits(dl, dh, 40, 5), bits(dl, dh, 45, 8), bits(dl, dh, 53, 8)
    p.here, p.next, p.origin = bits(wl, wh, 0, 20), bits(wl, wh, 20, 20), bits(wl, wh, 40, 20)
    p.state, p.history, p.alerts = bits(wl, wh, 60, 4), {}, {}
    for i = 1, count do
        local low, high = r.take('I4I4')
        p.history[i] = {at_s = p.base_s + bits(low, high, 37, 27), place = bits(low, high, 17, 20),
                        code = bits(low, high, 12, 5), retracts = has(low, 11), merged = has(low, 0)}
    end
    take_optional(r, p, present)
    return p
end

local function take_tombstone(r)
    local _, length, life, state_s, _, last = r.take('BBHI4I4B')
    local ending = ENDS[last % 8]
    local kept = shifted(last, 3) % 16 + 16 + (has(last, 7) and 32 or 0)
    local p = {number = r.bytes(length % 64), life = life, flags = kept, state = ending[1],
               code = ending[2], state_s = state_s, attempts = 0, history = {}, alerts = {}}
    if has(length, 6) then
        p.alerts = take_alerts(r)
        take_alerts(r)
    end
    return p
end

local function unpack_record(data)
    local format = data:byte(1)
    if format ~= FORMAT and format ~= FORMAT_BEFORE then
        error(string.format('record format %s, this library reads %d and %d', tostring(format),
                            FORMAT_BEFORE, FORMAT))
    end
    local r = reader(data)
    local p = (has(data:byte(2), 7) and take_tombstone or take_live)(r)
    if r.at ~= #data + 1 then error('longer than its record') end
    return p
end

-- A partition -----------------------------------------------------------------

-- The words of a mark as texts (some exceed what a Lua number holds), and its keys' beginning.
local function mark_of(keys)
    local tag, partition = (keys[1] or ''):match('^(.*:(%d+)}:)mark$')
    if not tag then error('the key is {GROUP:TOPIC:PARTITION}:mark') end
    local text = redis.call('GET', keys[1])
    if not text then return nil end
    local words = {}
    for word in text:gmatch('%S+') do words[#words + 1] = word end
    if tonumber(words[1]) ~= MARK_FORMAT or #words ~= 11 then error('no mark this library knows') end
    return {tag = tag, partition = partition, partitions = tonumber(words[2]),
            buckets = tonumber(words[3]), offset = words[7], clock_ms = tonumber(words[8])}
end

local function answer_of(mark)
    local o = object()
    put(o, 'scope', '"partition"')
    if mark.clock_ms > 0 then
        put(o, 'complete_to', '"' .. time_text(math.floor(mark.clock_ms / 1000),
                                               mark.clock_ms % 1000) .. '"')
    end
    put(o, 'partition', mark.partition)
    put(o, 'offset', mark.offset)
    return o
end

local function find(mark, number)
    local bucket = shifted(murmur2(number) / mark.partitions, 0) % mark.buckets
    return redis.call('HGET', string.format('%sb%08x', mark.tag, bucket), number)
end

-- Names of the partition's dictionary, each asked for once.
local function dictionary(mark)
    local known = {}
    return function(kind, id)
        if not id or id == 0 then return '' end
        local field = kind .. ':' .. string.format('%d', id)
        if known[field] == nil then
            known[field] = redis.call('HGET', mark.tag .. 'names', field) or ''
        end
        return known[field]
    end
end

local function timeline(p, name)
    local list = {}
    for i, entry in ipairs(p.history) do
        local o = object()
        put_time(o, 'time', entry.at_s)
        put_text(o, 'code', CODES[entry.code])
        put_text(o, 'facility', name('p', entry.place))
        if entry.retracts then put(o, 'retracts', 'true') end
        if entry.merged then put(o, 'merged', 'true') end
        list[i] = closed(o)
    end
    return '[' .. table.concat(list, ',') .. ']'
end

local function flags_of(p)
    local list = {}
    for i, flag in ipairs(FLAGS) do
        if has(p.flags, i - 1) then list[#list + 1] = '"' .. flag .. '"' end
    end
    return '[' .. table.concat(list, ',') .. ']'
end

-- Those of a parcel that are open, as they were sent.
local function open_alerts(mark, ids)
    local list = {}
    for _, id in ipairs(ids) do
        list[#list + 1] = redis.call('HGET', mark.tag .. 'open', id) or nil
    end
    return '[' .. table.concat(list, ',') .. ']'
end

local function parcel_text(mark, p)
    local o, name = answer_of(mark), dictionary(mark)
    put_text(o, 'number', p.number)
    put(o, 'life', p.life)
    put_text(o, 'state', STATES[p.state])
    put_text(o, 'code', CODES[p.code])
    put_time(o, 'since', p.state_s)
    put_text(o, 'service', name('s', p.service))
    put_text(o, 'carrier', name('p', p.carrier))
    put_text(o, 'carrier_number', p.carrier_number)
    put_text(o, 'at', name('p', p.here))
    put_text(o, 'next', name('p', p.next))
    put_text(o, 'origin', name('p', p.origin))
    put_text(o, 'dest', name('p', p.dest))
    put_time(o, 'promise', p.promise_s)
    if p.eta_s and p.eta_s > 0 then
        local eta = object()
        put_time(eta, 'p50', p.eta_s)
        put(eta, 'sequence', p.eta_sequence)
        put(o, 'eta', closed(eta))
    end
    put(o, 'attempts', p.attempts)
    put(o, 'flags', flags_of(p))
    put(o, 'timeline', timeline(p, name))
    put(o, 'alerts', open_alerts(mark, p.alerts))
    return closed(o)
end

-- The functions ---------------------------------------------------------------

local function guarded(work)
    return function(keys, arguments)
        local well, answer = pcall(work, keys, arguments)
        if well then return answer end
        return redis.error_reply('PEAKLINE ' .. tostring(answer):gsub('^.-:%d+: ', ''))
    end
end

local function parcel(keys, arguments)
    local mark, number = mark_of(keys), arguments[1]
    if not number then error('which parcel?') end
    if not mark then return false end
    local data = find(mark, number)
    if not data then
        local real = redis.call('HGET', mark.tag .. 'carrier', number)
        data = real and find(mark, real)
    end
    return data and parcel_text(mark, unpack_record(data))
end

local function alerts(keys, arguments)
    local mark, limit = mark_of(keys), tonumber(arguments[1] or '100')
    if not limit or limit < 1 or limit > 10000 then error('LIMIT is a number from 1 to 10000') end
    if not mark then return false end
    local list, cursor, key = {}, '0', mark.tag .. 'open'
    repeat
        local page = redis.call('HSCAN', key, cursor, 'COUNT', 100)
        cursor = page[1]
        for i = 2, #page[2], 2 do
            if #list < limit then list[#list + 1] = page[2][i] end
        end
    until cursor == '0' or #list >= limit
    local o = answer_of(mark)
    put(o, 'matching', redis.call('HLEN', key))
    put(o, 'alerts', '[' .. table.concat(list, ',') .. ']')
    return closed(o)
end

local function partition(_, arguments)
    local count = tonumber(arguments[2])
    if not arguments[1] or not count or count < 1 then error('want NUMBER PARTITIONS') end
    return murmur2(arguments[1]) % count
end

local function register(name, work)
    redis.register_function{function_name = name, callback = guarded(work), flags = {'no-writes'}}
end

register('peakline_parcel', parcel)
register('peakline_alerts', alerts)
register('peakline_partition', partition)
register('peakline_version', function() return VERSION end)
