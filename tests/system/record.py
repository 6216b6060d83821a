"""record - a stored parcel's bytes, read without the product's help.

The layout is the one stages/parcel/record.h and record.c describe: little-endian; 48 fixed
bytes, then what is longer or optional, in one order; or a tombstone of 13 bytes.
"""
import struct
from dataclasses import dataclass, field

FORMAT = 2
NUMBER_INSIDE, TOMBSTONE, LENGTH = 16, 128, 63
DEADLINES, PROMISE, ETA, PHYSICAL, CARRIER_NUMBER, ALERTS, UNSENT, FACTS = (
    1 << i for i in range(8))
HOUSE = 31
ENDS = [10, 12, 13, 14, 15]     # states, as a tombstone numbers them
ID = 0xFFFFF


@dataclass
class Record:
    """Numbers as stored; names are numbers of the partition's dictionary."""
    number: str
    life: int
    state: int
    state_s: int
    tombstone: bool = False
    flags: int = 0
    code: int = 0
    attempts: int = 0
    service: int = 0
    base_s: int = 0
    at: int = 0
    next: int = 0
    origin: int = 0
    dest: int = 0
    carrier: int = 0
    promise_s: int = 0
    physical_s: int = 0
    carrier_number: str = ""
    eta_sequence: int = 0
    history: list = field(default_factory=list)     # (at_s, place, code, retracts, merged)
    deadlines: dict = field(default_factory=dict)   # detector → s
    facts: dict = field(default_factory=dict)       # what few parcels have
    alerts: list = field(default_factory=list)
    unsent: list = field(default_factory=list)


class Reader:
    """Bytes, taken from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def bytes(self, count):
        if self.at + count > len(self.data):
            raise ValueError("a record cut short")
        self.at += count
        return self.data[self.at - count:self.at]


def bits(number, *widths):
    for width in widths:
        yield number & ((1 << width) - 1)
        number >>= width


def take_alerts(reader):
    alerts = []
    for _ in range(reader.take("B")):
        ident, places, opened, at, due, value, threshold, sequence, flags, kind = \
            reader.take("QQIIIiiHBB")
        where, expected, note, state, severity = bits(places, 20, 20, 20, 2, 2)
        alerts.append(dict(id=f"{ident:016x}", at=where, expected=expected, note=note, state=state,
                           severity=severity, opened_s=opened, at_s=at, deadline_s=due,
                           value=value, threshold=threshold, sequence=sequence, flags=flags,
                           type=kind & 31))
    return alerts


def unpack(data):
    """A Record; ValueError when the bytes are none."""
    try:
        reader = Reader(data)
        record = (tombstone if data[1] & TOMBSTONE else live)(reader)
    except (struct.error, IndexError) as error:
        raise ValueError(str(error)) from None
    if data[0] != FORMAT or reader.at != len(data):
        raise ValueError(f"no record of format {FORMAT}: {data[:8].hex()}…")
    return record


def live(reader):
    (_, length, flags, life, present, count, ends, way, base_s, state_s) = \
        reader.take("BBHHBBQQII")
    inside = reader.bytes(NUMBER_INSIDE)
    number = inside[:length] + (reader.bytes(length - NUMBER_INSIDE)
                                if length > NUMBER_INSIDE else b"")
    dest, carrier, code, attempts, service = bits(ends, 20, 20, 5, 8, 8)
    at, following, origin, state = bits(way, 20, 20, 20, 4)
    record = Record(number.decode(), life, state, state_s, False, flags, code, attempts, service,
                    base_s, at, following, origin, dest, carrier, physical_s=state_s)
    for _ in range(count):
        entry = reader.take("Q")
        marks, retracts, what, place, since = bits(entry, 11, 1, 5, 20, 27)
        record.history.append((base_s + since, place, what, bool(retracts), bool(marks & 1)))
    if present & DEADLINES:
        for _ in range(reader.take("B")):
            at_s, detector = reader.take("IB")
            record.deadlines[detector] = at_s
    if present & PROMISE:
        record.promise_s = reader.take("I")
    if present & ETA:
        _, _, record.eta_sequence, _ = reader.take("IIHB")
    if present & PHYSICAL:
        record.physical_s = reader.take("I")
    if present & CARRIER_NUMBER:
        record.carrier_number = reader.bytes(reader.take("B")).decode()
    if present & ALERTS:
        record.alerts = take_alerts(reader)
    if present & UNSENT:
        record.unsent = take_alerts(reader)
    if present & FACTS:
        which = reader.take("B")
        for i, (name, form) in enumerate((("weight_g", "i"), ("declared_g", "i"),
                                          ("target", "ff"), ("spot", "ff"))):
            if which >> i & 1:
                record.facts[name] = reader.take(form)
        if which >> 4 & 1:
            record.facts["documents"] = [reader.take("I") for _ in range(reader.take("B"))]
        if which >> 5 & 1:
            record.facts["courier"] = reader.bytes(reader.take("B")).decode()
    return record


def tombstone(reader):
    _, length, life, state_s, house_s, end = reader.take("BBHIIB")
    number = reader.bytes(length & LENGTH).decode()
    record = Record(number, life, ENDS[end & 7], state_s, True)
    if house_s:
        record.deadlines[HOUSE] = house_s
    if length & 64:
        record.alerts, record.unsent = take_alerts(reader), take_alerts(reader)
    return record


def mark(text):
    """The mark as {name: number}."""
    names = "format partitions buckets epoch owner sequence offset clock_ms records kafka_ms home"
    numbers = [int(word) for word in text.split(" ")]
    if len(numbers) != len(names.split()):
        raise ValueError(f"no mark: {text}")
    return dict(zip(names.split(), numbers))


def murmur2(key):
    """As Java's Kafka clients compute it, made positive."""
    m, mask = 0x5bd1e995, 0xffffffff
    h = (0x9747b28c ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7fffffff
