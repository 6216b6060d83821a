"""hostile - values made to hurt: each costs a dead letter and no more than another scan's time."""
import json
import os

import secured
from tally import check

ROUNDS = 20
# A byte of a hostile message may cost no more CPU than so many bytes of scans.
BYTES_WORTH = 2


def hostile_values():
    """Each of a kind; all keyed like a scan."""
    scan = {"parcel": "X", "code": "ARRIVE", "time": "2026-01-01T00:00:00Z", "facility": "HUB1"}
    text = json.dumps(scan)
    return {
        "deep lists": b"[" * 30000 + b"]" * 30000,
        "deep objects": b'{"a":' * 9000 + b"1" + b"}" * 9000,
        "never closed": text[:-1].encode() + b',"raw":"' + b"x" * 60000,
        "many fields": ("{" + ",".join(f'"f{i}":{i}' for i in range(4500)) + "}").encode(),
        "one field again": ("{" + ",".join(['"parcel":"X"'] * 4500) + "}").encode(),
        "long name": ('{"' + "n" * 60000 + '":1}').encode(),
        "zero bytes": b"\0" * 60000,
        "zero inside": text.replace("HUB1", "HU\\u0000B1").encode(),
        "bad UTF-8": text.encode().replace(b"HUB1", b"\xff\xfe\xc0\x80" * 4),
        "surrogates": ('{"parcel":"' + "\\ud800" * 10000 + '"}').encode(),
        "number beyond range": (text[:-1] + ',"weight_g":1e999999}').encode(),
        "number without end": (text[:-1] + ',"weight_g":' + "9" * 60000 + "}").encode(),
        "minus": (text[:-1] + ',"declared_g":-9223372036854775809}').encode(),
        "time beyond range": text.replace("2026", "9999").encode(),
        "blanks": b" " * 60000,
        "a megabyte": b'{"a":"' + b"x" * 1000000,
        "framed nothing": b"\0\0\0\0\7",
    }


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as line:
        fields = line.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hostile(place):
    """deep, huge, NUL, bad UTF-8, numbers beyond range: dead letters, at a bounded cost"""
    import traffic
    values = hostile_values()
    instance = place.it.start(secured.GROUP, "hostile", **place.settings(place.sasl()))
    instance.finish(60)

    def cost(messages):
        """CPU seconds of the instance until all of them are in Redis; and how it counted them."""
        before, counted = cpu_s(instance.process.pid), instance.metrics()
        place.it.produce(messages)
        instance.finish(60)
        after = instance.metrics()
        return cpu_s(instance.process.pid) - before, {
            name: after[f"peakline_{name}_total"] - counted[f"peakline_{name}_total"]
            for name in ("scans_read", "dead_letters", "scans_effective")}
    good = list(traffic.Traffic(21, 2500).messages())
    scans_s, counted = cost(good)
    check(counted["dead_letters"] == 0 and counted["scans_effective"] > 10000, counted)
    bad = [traffic.Message(f"H{i}".encode(), value) for i in range(ROUNDS)
           for value in values.values()]
    hostile_s, counted = cost(bad)
    check(counted["dead_letters"] == len(bad), f"{counted} of {len(bad)} hostile messages")
    scan, each = (1e9 * cpu / sum(len(message.value) for message in messages)
                  for cpu, messages in ((scans_s, good), (hostile_s, bad)))
    print(f"        CPU per byte: hostile messages {each:.1f} ns, scans {scan:.1f} ns")
    check(each < BYTES_WORTH * scan, "a hostile byte costs more than a scan's")

    # Mixed one to one: every scan still counts, in its order.
    more = list(traffic.Traffic(22, 300).messages())
    mixed = [message for pair in zip(more, (bad * (len(more) // len(bad) + 1))) for message in pair]
    _, counted = cost(mixed)
    check(counted["dead_letters"] == len(more), f"{counted}, {len(more)} of each sent")
    check(counted["scans_read"] == len(mixed), f"{counted}, {len(mixed)} sent")
    check(instance.stop() == 0, f"SIGTERM: the exit status is not 0\n{instance.tail()}")
