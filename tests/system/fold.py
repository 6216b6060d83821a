"""fold - what a log of scans means, computed a second time.

Written from the description of scans, lives, lateness and duplicates alone, and in the
plainest way: no table, no packed bytes, no batches, and nothing is ever forgotten.  Where this
and the product differ, one of them is wrong.
"""
import bisect
import calendar
import json
import re
from dataclasses import dataclass, field

# ── Words ────────────────────────────────────────────────────────────────────

CODES = ("NONE LABEL DECLARED PICKUP ARRIVE DEPART SORT LOAD UNLOAD HANDOVER EXPORT_IN "
         "EXPORT_HELD EXPORT_OUT UPLIFT LANDED IMPORT_IN IMPORT_HELD IMPORT_OUT "
         "OUT_FOR_DELIVERY ATTEMPT_FAILED STATION_IN DELIVERED RETURN_START RETURNED "
         "REROUTED DAMAGED REFUSED BAD_ADDRESS LOST DESTROYED CANCELLED INFO").split()
STATES = ("unknown labelled declared collected in-transit export-customs line-haul "
          "import-customs with-courier at-station delivered returning returned lost destroyed "
          "cancelled").split()
LEADS_TO = dict(
    LABEL="labelled", DECLARED="declared", PICKUP="collected", ARRIVE="in-transit",
    DEPART="in-transit", SORT="in-transit", LOAD="in-transit", UNLOAD="in-transit",
    HANDOVER="in-transit", EXPORT_IN="export-customs", EXPORT_HELD="export-customs",
    EXPORT_OUT="in-transit", UPLIFT="line-haul", LANDED="line-haul", IMPORT_IN="import-customs",
    IMPORT_HELD="import-customs", IMPORT_OUT="in-transit", OUT_FOR_DELIVERY="with-courier",
    ATTEMPT_FAILED="with-courier", STATION_IN="at-station", DELIVERED="delivered",
    RETURN_START="returning", RETURNED="returned", LOST="lost", DESTROYED="destroyed",
    CANCELLED="cancelled")
TERMINAL = {"delivered", "returned", "lost", "destroyed", "cancelled"}
WITHOUT_FACILITY = {"LABEL", "DECLARED", "CANCELLED", "INFO"}
AT_A_DESK = {"LABEL", "DECLARED", "REROUTED", "LOST", "CANCELLED", "INFO"}

HISTORY_MAX = 32
NEAR_S = 600
SPAN_MAX_S = 2 ** 27 - 1        # between a life's base and its last scan
BYTES_MAX = 65535
DEPTH_MAX = 64

# Fields in the order in which they are judged: (name, form, most).
FIELDS = [
    ("parcel", "parcel", 40), ("code", "code", 0), ("time", "time", 0),
    ("facility", "text", 24), ("next", "text", 24), ("origin", "text", 24), ("dest", "text", 24),
    ("carrier", "text", 16), ("service", "text", 16), ("carrier_number", "text", 40),
    ("promise", "promise", 0), ("raw", "text", 48), ("courier", "text", 24), ("bag", "text", 24),
    ("reason", "text", 24), ("event_id", "text", 64), ("weight_g", "grams", 0),
    ("declared_g", "grams", 0), ("lat", "degrees", 90), ("lon", "degrees", 180),
    ("dest_lat", "degrees", 90), ("dest_lon", "degrees", 180), ("retracts", "bool", 0)]
FACTS = ("weight_g", "declared_g", "courier")     # what few parcels have, of these
NAMES = {name for name, _, _ in FIELDS}
YEAR_2000_MS, YEAR_2106_MS = 946684800000, 4294967295000
AHEAD_MS = 30 * 86400 * 1000


class Reject(Exception):
    """A message that is no scan; the reason, as in the dead letter's header."""


# ── One message ──────────────────────────────────────────────────────────────

class Real(str):
    """A JSON number with a fraction or an exponent."""


class Whole(str):
    """A JSON number without."""


def parse_json(value):
    """[(name, value)] of one JSON object."""
    def constant(_):
        raise Reject("bad-json")

    def depth_of(item):
        if isinstance(item, Pairs):
            return 1 + max((depth_of(v) for _, v in item), default=0)
        if isinstance(item, list):
            return 1 + max((depth_of(v) for v in item), default=0)
        return 0

    def texts(item):
        if isinstance(item, Pairs):
            for name, inner in item:
                yield name
                yield from texts(inner)
        elif isinstance(item, list):
            for inner in item:
                yield from texts(inner)
        elif isinstance(item, str):
            yield item

    def load(text):
        try:
            return json.loads(text, object_pairs_hook=Pairs, parse_constant=constant,
                              parse_int=Whole, parse_float=Real)
        except (ValueError, RecursionError):
            raise Reject("bad-json") from None

    # Structure first, byte by byte; then what the bytes above 127 are.
    pairs = load(value.decode("latin-1"))
    if not isinstance(pairs, Pairs) or depth_of(pairs) > DEPTH_MAX + 1:
        raise Reject("bad-json")
    if any(re.search("[\ud800-\udfff]", text) for text in texts(pairs)):
        raise Reject("bad-json")
    try:
        return load(value.decode("utf-8"))
    except UnicodeDecodeError:
        raise Reject("bad-utf8") from None


class Pairs(list):
    """A JSON object as it stands: names may repeat."""


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
                  r"(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII)


def parse_time(text):
    """RFC 3339 with zone, to Unix ms; digits beyond ms are cut."""
    match = TIME.fullmatch(text)
    if not match:
        raise Reject("bad-time")
    year, month, day, hour, minute, second = (int(g) for g in match.groups()[:6])
    zone_h, zone_m = int(match.group(10) or 0), int(match.group(11) or 0)
    if not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 60 or \
            zone_h > 23 or zone_m > 59:
        raise Reject("bad-time")
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= (29 if month == 2 and leap else calendar.mdays[month]):
        raise Reject("bad-time")
    seconds = calendar.timegm((year, month, day, hour, minute, second)) if year else 0
    if not year:
        seconds = calendar.timegm((400, month, day, hour, minute, second)) - 146097 * 86400
    zone = (zone_h * 60 + zone_m) * 60 * (-1 if match.group(9) == "-" else 1)
    return (seconds - zone) * 1000 + int(((match.group(7) or "") + "000")[:3])


def judge(form, most, value, now_ms):
    """The value of one field, or its reason."""
    if form in ("grams", "degrees"):
        if not isinstance(value, (Whole, Real)) or form == "grams" and not isinstance(value, Whole):
            raise Reject("bad-type")
        number = int(value) if form == "grams" else float(value)
        if form == "grams" and not 0 <= number < 2 ** 31 or form == "degrees" and \
                not -most <= number <= most:
            raise Reject("bad-number")
        return number
    if form == "bool":
        if not isinstance(value, bool):
            raise Reject("bad-type")
        return value
    if not isinstance(value, str) or isinstance(value, (Whole, Real)):
        raise Reject("bad-type")
    if form == "code":
        if value not in CODES[1:]:
            raise Reject("unknown-code")
        return value
    if form in ("time", "promise"):
        ms = parse_time(value)
        if not YEAR_2000_MS <= ms <= (now_ms + AHEAD_MS if form == "time" else YEAR_2106_MS):
            raise Reject("time-range")
        return ms
    if len(value.encode()) > most:
        raise Reject("too-long")
    if form == "parcel" and not re.fullmatch(r"[A-Za-z0-9._-]+", value):
        raise Reject("bad-parcel")
    return value


def decode(value, key, now_ms):
    """A scan as {field: value}; raises Reject."""
    if len(value) == 0:
        raise Reject("empty")
    if len(value) > BYTES_MAX:
        raise Reject("too-large")
    if value[0] == 0:                       # Confluent's frame: 0 and a schema id
        value = value[5:]
        if not value.lstrip(b" \t\r\n").startswith(b"{"):
            raise Reject("unsupported-format")
    pairs = [(name, item) for name, item in parse_json(value) if name in NAMES]
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Reject("duplicate-field")
    if not {"parcel", "code", "time"} <= found.keys():
        raise Reject("missing-field")
    if any("\0" in item for item in found.values() if isinstance(item, str)):
        raise Reject("bad-utf8")
    scan = {name: judge(form, most, found[name], now_ms)
            for name, form, most in FIELDS if name in found}
    if not scan.get("facility") and scan["code"] not in WITHOUT_FACILITY:
        raise Reject("missing-field")
    if key is not None and key != scan["parcel"].encode():
        raise Reject("key-mismatch")
    return scan


# ── One parcel ───────────────────────────────────────────────────────────────

@dataclass(order=True, frozen=True)
class Entry:
    """A scan in a history; ordered by time, then place, code, retraction."""
    at_s: int
    rank: int                   # the facility's number in the partition's dictionary
    code: int
    retracts: bool
    place: str = field(compare=False, default="")
    merged: bool = field(compare=False, default=False)


@dataclass
class Parcel:
    """A (number, life): what is stored of it, and no more."""
    number: str
    life: int = 1
    state: str = "unknown"
    state_s: int = 0
    base_s: int = 0
    attempts: int = 0
    at: str = ""
    next: str = ""
    origin: str = ""
    dest: str = ""
    carrier: str = ""
    service: str = ""
    carrier_number: str = ""
    promise_s: int = 0
    facts: dict = field(default_factory=dict)       # weight_g, declared_g, courier
    history: list = field(default_factory=list)

    def taken_back(self, entry):
        return any(e.retracts and (e.at_s, e.rank, e.code) == (entry.at_s, entry.rank, entry.code)
                   for e in self.history)

    def standing(self):
        return [e for e in self.history if not e.retracts and not self.taken_back(e)]

    def has(self, wanted):
        return wanted in self.history

    def add(self, entry):
        """The last 32, within the span that a history can hold."""
        if not self.history:
            self.base_s = entry.at_s
        elif entry.at_s < self.base_s:
            if self.history[-1].at_s - entry.at_s > SPAN_MAX_S:
                return
            self.base_s = entry.at_s
        elif entry.at_s - self.base_s > SPAN_MAX_S:
            self.base_s = entry.at_s - SPAN_MAX_S
            self.history = [e for e in self.history if e.at_s >= self.base_s]
        if len(self.history) == HISTORY_MAX:
            if entry < self.history[0]:
                return
            self.history.pop(0)
        bisect.insort(self.history, entry)


def near(parcel, entry, code):
    """A belt scan and a hand scan of one event?"""
    if code == "ATTEMPT_FAILED":
        return False
    standing = parcel.standing()
    for other in standing:
        if (other.code, other.rank) != (entry.code, entry.rank) or \
                abs(other.at_s - entry.at_s) > NEAR_S:
            continue
        low, high = sorted((other.at_s, entry.at_s))
        left = any(CODES[e.code] == "DEPART" and e.rank == entry.rank and low < e.at_s < high
                   for e in standing)
        if code != "ARRIVE" or not left:
            return True
    return False


def take_back(parcel):
    """After a retraction: what the history says without what was taken back."""
    standing = parcel.standing()
    parcel.attempts = sum(CODES[e.code] == "ATTEMPT_FAILED" and not e.merged for e in standing)
    giving = [e for e in standing if not e.merged and CODES[e.code] in LEADS_TO]
    parcel.state = "unknown"
    if giving:
        parcel.state, parcel.state_s = LEADS_TO[CODES[giving[-1].code]], giving[-1].at_s
        parcel.at = giving[-1].place or parcel.at


class Partition:
    """One partition's log, folded scan by scan."""

    def __init__(self, rank=None, home=None):
        self.parcels = {}
        self.counts = dict(effective=0, merged=0, duplicate=0, skipped=0, dead=0)
        self.rejects = {}               # where it stood → reason
        self.rank = rank or (lambda place: 0)
        self.home = home or (lambda number: True)   # does the number belong here?

    # What a message does.

    def message(self, where, key, value, now_ms):
        """One message of the log; returns the class it was put in."""
        if value is None:
            kind = "skipped"
        else:
            try:
                scan = decode(value, key, now_ms)
                if not self.home(scan["parcel"]):
                    raise Reject("wrong-partition")
                kind = self.scan(scan)
            except Reject as reject:
                self.rejects[where] = str(reject)
                kind = "dead"
        self.counts[kind] += 1
        return kind

    def scan(self, scan):
        number, code, at_s = scan["parcel"], scan["code"], scan["time"] // 1000
        place = scan.get("facility", "")
        entry = Entry(at_s, self.rank(place), CODES.index(code), scan.get("retracts", False), place)
        parcel = self.parcels.get(number)
        kind, late = self.classify(parcel, entry, code)
        if kind == "duplicate":
            return kind
        if parcel is None or kind == "new life":
            parcel = Parcel(number, 1 if parcel is None else parcel.life + 1)
            self.parcels[number] = parcel
        self.apply(parcel, scan, entry, merged=kind == "merged", late=late)
        return "merged" if kind == "merged" else "effective"

    @staticmethod
    def classify(parcel, entry, code):
        """(kind, late)"""
        if parcel is None:
            return "effective", False
        ended, later = parcel.state in TERMINAL, entry.at_s > parcel.state_s
        if entry.retracts:
            return ("duplicate" if parcel.has(entry) else "effective"), \
                entry.at_s < parcel.state_s
        if parcel.has(entry):
            return "duplicate", False
        if parcel.taken_back(entry):    # its retraction came first
            return "effective", True
        if ended and later and code in ("PICKUP", "LABEL"):
            return "new life", False
        if parcel.state == "lost" and later and code not in AT_A_DESK:
            return "effective", False   # it has turned up
        if near(parcel, entry, code):
            return "merged", True
        return "effective", ended or entry.at_s < parcel.state_s

    @staticmethod
    def apply(parcel, scan, entry, merged, late):
        code = scan["code"]
        if merged:
            entry = Entry(entry.at_s, entry.rank, entry.code, False, entry.place, True)
        undone = not entry.retracts and parcel.taken_back(entry)    # before it came
        parcel.add(entry)
        if undone:
            return
        # What a scan says of the journey is kept; a late one knows no better.
        for name in ("origin", "carrier", "service", "carrier_number"):
            if scan.get(name) and (not getattr(parcel, name) or not late):
                setattr(parcel, name, scan[name])
        if scan.get("dest") and (not parcel.dest or code == "REROUTED" and not late):
            parcel.dest = scan["dest"]
        if "promise" in scan and (not parcel.promise_s or not late):
            parcel.promise_s = scan["promise"] // 1000
        if merged:
            return
        if entry.retracts:
            take_back(parcel)
            for name in FACTS:
                if name in scan and parcel.facts.get(name) == scan[name]:
                    del parcel.facts[name]
            return
        for name in FACTS:
            if scan.get(name, "") != "" and (name not in parcel.facts or not late):
                parcel.facts[name] = scan[name]
        parcel.attempts += code == "ATTEMPT_FAILED"
        if late:
            return
        if scan.get("next"):
            parcel.next = scan["next"]
        elif code in ("DEPART", "REROUTED") or code == "ARRIVE" and entry.place == parcel.next:
            parcel.next = ""
        parcel.at = entry.place or parcel.at
        if code in LEADS_TO:
            parcel.state, parcel.state_s = LEADS_TO[code], entry.at_s
