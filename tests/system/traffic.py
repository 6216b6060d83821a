"""traffic - scans that are hard to get right, from a seed.

bench/peakload makes what a network sends; this makes what a network should not send and
does: repeats, near repeats, late scans, retractions, numbers used again, histories longer
than is kept, and every kind of message that is no scan.
"""
import calendar
import json
import random
import time
from dataclasses import dataclass, field

DAY_S = 86400
ROUTE = ("LABEL PICKUP DEPART ARRIVE SORT LOAD DEPART ARRIVE UNLOAD SORT DEPART ARRIVE "
         "OUT_FOR_DELIVERY").split()
BORDER = ("LABEL DECLARED PICKUP DEPART ARRIVE EXPORT_IN EXPORT_OUT HANDOVER UPLIFT LANDED "
          "IMPORT_IN IMPORT_HELD IMPORT_OUT DEPART ARRIVE OUT_FOR_DELIVERY").split()
ENDINGS = (["DELIVERED"], ["STATION_IN", "DELIVERED"], ["ATTEMPT_FAILED", "DELIVERED"],
           ["ATTEMPT_FAILED", "ATTEMPT_FAILED", "ATTEMPT_FAILED", "RETURN_START", "RETURNED"],
           ["LOST"], ["LOST", "ARRIVE", "DELIVERED"], ["DAMAGED", "DESTROYED"], ["STATION_IN"], [])
SERVICES = ("express", "standard", "economy", "global-72h")


@dataclass
class Message:
    """What a producer sends; partition None = by the key, at_ms None = now."""
    key: bytes
    value: bytes
    headers: list = field(default_factory=list)
    partition: int = None
    at_ms: int = None


def rfc3339(at_s, zone_h=0, fraction=""):
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s + zone_h * 3600)) + fraction
    return text + ("Z" if zone_h == 0 else f"{'+' if zone_h > 0 else '-'}{abs(zone_h):02}:00")


class Traffic:
    """A stream of messages; the same seed, the same stream."""

    def __init__(self, seed, parcels, broken=0.0, now_s=None):
        self.random = random.Random(seed)
        self.now_s = int(now_s if now_s is not None else time.time())
        self.broken = broken
        self.parcels = parcels
        self.prefix = f"T{seed}"

    def messages(self):
        """All parcels' scans, mixed as a network mixes them: in order per parcel, mostly."""
        streams = [self.parcel(i) for i in range(self.parcels)]
        order = [i for i, stream in enumerate(streams) for _ in stream]
        self.random.shuffle(order)
        places = [0] * len(streams)
        for i in order:
            yield self.message(streams[i][places[i]])
            places[i] += 1
            if self.random.random() < self.broken:
                yield self.no_scan()

    def message(self, scan):
        value = json.dumps(scan, ensure_ascii=self.random.random() < 0.1,
                           separators=self.random.choice(((",", ":"), (", ", ": "))))
        if self.random.random() < 0.01:     # as Confluent's serializers frame it
            return Message(scan["parcel"].encode(), b"\0\0\0\0\7" + value.encode())
        headers = [("traceparent", b"00-%032x-01" % self.random.getrandbits(128))] \
            if self.random.random() < 0.05 else []
        return Message(scan["parcel"].encode(), value.encode(), headers)

    def number(self, i):
        short = f"{self.prefix}-{i}"
        return short if i % 3 else f"{short}.{'x' * (i % 29)}"[:40]

    # One parcel's scans, and what happens to them on the way.

    def parcel(self, i):
        rng = self.random
        at_s = self.now_s - rng.randrange(1, 25) * DAY_S
        scans, places = [], [f"HUB{rng.randrange(40)}" for _ in range(6)]
        for life in range(1 if rng.random() < 0.9 else 2):
            codes = list(BORDER if rng.random() < 0.2 else ROUTE) + list(rng.choice(ENDINGS))
            if rng.random() < 0.03:     # more than a history keeps
                codes[4:4] = ["DEPART", "ARRIVE"] * 20
            at_s, made = self.life(i, codes, at_s, places)
            scans += made
            at_s += rng.randrange(60, 3 * DAY_S)
            if life == 0 and (not made or at_s > self.now_s + DAY_S):
                break
        return self.disturb(scans)

    def life(self, i, codes, at_s, places):
        rng, made, hop = self.random, [], 0
        known = dict(origin=places[0], dest=places[-1], carrier=f"C{rng.randrange(5)}",
                     service=rng.choice(SERVICES))
        for code in codes:
            at_s += rng.choice((0, 30, 600, 1800, 4 * 3600, DAY_S))
            scan = dict(parcel=self.number(i), code=code,
                        time=rfc3339(at_s, rng.choice((0, 0, 8, -3)),
                                     rng.choice(("", ".5", ".123"))))
            if code == "ARRIVE":
                hop = (hop + 1) % len(places)
            if code not in ("LABEL", "DECLARED"):
                scan["facility"] = places[hop]
            if code == "DEPART" and rng.random() < 0.8:
                scan["next"] = places[(hop + 1) % len(places)]
            for name, text in known.items():
                if code == "LABEL" or rng.random() < 0.1:
                    scan[name] = text
            self.decorate(scan, at_s)
            made.append(scan)
        return at_s, made

    def decorate(self, scan, at_s):
        rng = self.random
        for name, chance, value in (
                ("promise", 0.1, rfc3339(at_s + 3 * DAY_S)),
                ("weight_g", 0.2, rng.randrange(900, 1100)), ("declared_g", 0.1, 1000),
                ("carrier_number", 0.05, f"CN{rng.randrange(10 ** 9)}"), ("courier", 0.1, "K7"),
                ("raw", 0.1, "上门揽收"), ("event_id", 0.1, f"{rng.getrandbits(64):x}"),
                ("unknown", 0.02, {"deep": [[], {"a": None}]}), ("lat", 0.1, 31.2304),
                ("lon", 0.1, 121.4737), ("reason", 0.1, "C88 \"x\"")):
            if rng.random() < chance:
                scan[name] = value

    def disturb(self, scans):
        rng, out = self.random, []
        for scan in scans:
            out.append(scan)
            if rng.random() < 0.06:     # the same once more, at once or later
                out.insert(rng.randrange(len(out) + 1), dict(scan))
            if rng.random() < 0.04:     # the belt and the hand
                out.append(self.moved(scan, rng.randrange(1, 700)))
            if rng.random() < 0.02:     # taken back, now or by and by; sometimes twice
                for _ in range(rng.choice((1, 1, 2))):
                    out.append(dict(scan, retracts=True))
        if rng.random() < 0.15 and len(out) > 2:    # a late one
            out.append(out.pop(rng.randrange(len(out) - 1)))
        if rng.random() < 0.1:          # another place
            out.append(dict(out[-1], code="REROUTED", dest="HUB99", facility="HUB1"))
        return out

    @staticmethod
    def moved(scan, by_s):
        local = calendar.timegm(time.strptime(scan["time"][:19], "%Y-%m-%dT%H:%M:%S"))
        return dict(scan, time=rfc3339(local + by_s)[:19] + scan["time"][19:])

    # Messages that are no scans.

    def no_scan(self):
        key, value = self.random.choice(BROKEN)(self.random, self.now_s)
        headers = [("traceparent", b"00-77-01"), ("odd", None), ("odd", b"\xff\0\xfe")]
        return Message(key, value, headers[:self.random.randrange(4)])


def good(rng, now_s, **more):
    scan = dict(parcel=f"B{rng.randrange(10 ** 6)}", code="ARRIVE", facility="HUB1",
                time=rfc3339(now_s - 100))
    return {name: item for name, item in {**scan, **more}.items() if item is not ...}


def broken(**more):
    def make(rng, now_s):
        scan = good(rng, now_s, **more)
        return str(scan.get("parcel", "B")).encode()[:40], json.dumps(scan).encode()
    return make


def edited(edit, **more):
    def make(rng, now_s):
        scan = good(rng, now_s, **more)
        return scan["parcel"].encode(), edit(json.dumps(scan).encode())
    return make


def far(rng, now_s):
    scan = good(rng, now_s, time=rfc3339(now_s + 40 * DAY_S))
    return scan["parcel"].encode(), json.dumps(scan).encode()


BROKEN = [
    edited(lambda v: None), edited(lambda v: b""), edited(lambda v: v[:-1]),
    edited(lambda v: v + b"x"), edited(lambda v: b"[" + v + b"]"), edited(lambda v: b"\xef" + v),
    edited(lambda v: v.replace(b"HUB1", b"HU\x01")), edited(lambda v: v.replace(b'"HUB1"', b"NaN")),
    edited(lambda v: v.replace(b"HUB1", b"\xc3\x28")), edited(lambda v: b"\0\0\0\0\1\2avro"),
    edited(lambda v: v.replace(b"HUB1", b"\\ud800")),
    edited(lambda v: v.replace(b"HUB1", b"\\u0000")),
    edited(lambda v: v[:-1] + b', "code": "SORT"}'), edited(lambda v: v + b" " * 70000),
    edited(lambda v: v[:-1] + b', "x": ' + b"[" * 70 + b"]" * 70 + b"}"),
    edited(lambda v: v.replace(b'"facility"', b'"Facility"')),
    lambda rng, now_s: (b"somebody-else", json.dumps(good(rng, now_s)).encode()), far,
    broken(parcel=...), broken(code=...), broken(time=...), broken(facility=...),
    broken(facility=None), broken(facility=""), broken(facility=7), broken(code=["ARRIVE"]),
    broken(retracts="yes"), broken(weight_g="12"), broken(weight_g=1.5), broken(weight_g=-1),
    broken(weight_g=2 ** 31), broken(lat=91), broken(dest_lon=-180.5), broken(lat=True),
    broken(facility="F" * 25), broken(parcel="P" * 41), broken(parcel="a b"), broken(parcel=""),
    broken(parcel="ü"), broken(code="arrive"), broken(code="ARRIVED"), broken(code=""),
    broken(time="2026-02-30T00:00:00Z"), broken(time="2026-01-01T00:00:00"), broken(time="now"),
    broken(time="1999-12-31T23:59:59Z"), broken(time="2026-01-01T24:00:00Z"),
    broken(promise="soon"), broken(raw="上" * 17), broken(event_id="e" * 65), broken(bag={"a": 1}),
]
