"""on_load - peakload against a real Kafka: what it sends is what it says."""
import base64
import json
import os
import subprocess
import time

import hdrh.histogram
import hdrh.log

import oracle
import stand
import trial


def peakload(it, *words, status=0, stdin=None):
    """Runs it against this stand's topic; its JSON summary, or its complaint."""
    run = subprocess.run(
        [stand.PEAKLOAD, words[0], "--brokers", it.broker.address, "--topic", it.scans, "--json",
         *words[1:]], capture_output=True, text=True, timeout=120, check=False, input=stdin)
    trial.check(run.returncode == status,
                f"peakload {' '.join(words)}: exit {run.returncode}, not {status}: {run.stderr}")
    return json.loads(run.stdout.splitlines()[-1]) if status == 0 else run.stderr


def in_topic(it, topic=None):
    """Every message of the topic, partition after partition."""
    messages = oracle.read_topic(it.broker.address, topic or it.scans)
    return [m for p in sorted(messages) for m in messages[p]]


def by_key(messages):
    """{key: [values]} in the order of each key."""
    values = {}
    for message in messages:
        values.setdefault(message.key, []).append(message.value)
    return values


def line(key, payload, ts=1762790400000, **more):
    return json.dumps({"topic": "x", "partition": 0, "offset": 0, "ts": ts, "key": key,
                       "payload": payload, **more})


def replay(new, options):
    """recorded lines sent again: copies, order per key, binary, timestamps, faults, timing"""
    it = new(partitions=3)
    raw = bytes(range(256))
    lines = [line(f"P{n % 7}", json.dumps({"parcel": f"P{n % 7}", "code": "ARRIVE", "n": n}))
             for n in range(70)]
    lines.append(json.dumps({"topic": "x", "ts": 1, "key": "B", "payload_base64":
                             base64.b64encode(raw).decode(), "headers": ["h", {"base64": "/w=="}]}))
    lines.append(line("N", None))
    text = "\n".join(lines) + "\n"
    done = peakload(it, "replay", "--multiply", "3", "-", stdin=text)
    trial.check(done["sent"] == done["acked"] == 3 * 72, f"sent {done['sent']}, not 216")
    messages = in_topic(it)
    values = by_key(messages)
    for suffix in ("", "-1", "-2"):
        for n in range(7):
            order = [json.loads(v)["n"] for v in values[f"P{n}{suffix}".encode()]]
            trial.check(order == list(range(n, 70, 7)), f"order of P{n}{suffix}: {order}")
        trial.check(values[f"B{suffix}".encode()] == [raw], "bytes came back as others")
        trial.check(values[f"N{suffix}".encode()] == [None], "a null value came back as another")
    trial.check([("h", b"\xff")] in [m.headers for m in messages], "a binary header was lost")
    trial.check(min(m.at_ms for m in messages) > (time.time() - 600) * 1000,
                "timestamps are not those of now")
    retention(it, text)
    timing(it)
    workers(it)


def retention(it, text):
    """Old timestamps go only where they are kept."""
    it.broker.create({f"{it.name}-short": (1, {"retention.ms": "3600000"}),
                      f"{it.name}-long": (1, {"retention.ms": "-1"})})
    words = ["replay", "--timestamps", "recorded", "-"]
    said = peakload(it, words[0], "--topic", f"{it.name}-short", *words[1:], stdin=text, status=65)
    trial.check("retention.ms" in said, f"no word of retention: {said}")
    peakload(it, words[0], "--topic", f"{it.name}-long", *words[1:], stdin=text)
    stamps = {m.at_ms for m in in_topic(it, f"{it.name}-long")}
    trial.check(stamps == {1, 1762790400000}, f"recorded timestamps became {stamps}")


def timing(it):
    """The recording's intervals are kept, a hundred times faster; a curve gives its sum."""
    lines = [line(f"T{n}", "{}", ts=1762790400000 + n * 10000) for n in range(21)]
    done = peakload(it, "replay", "--speed", "100", "-", stdin="\n".join(lines))
    trial.check(done["seconds"] >= 2, f"200 s, 100 times faster, took {done['seconds']} s")
    curve = os.path.join(it.folder, "curve.csv")
    with open(curve, "w", encoding="ascii") as file:
        file.write("seconds,rate\n0,0\n1,400\n2,400\n")
    done = peakload(it, "generate", "--curve", curve, "--probe", "1")
    trial.check(590 <= done["sent"] <= 600 or done["slip"] > 0, f"600 were due: {done}")


def workers(it):
    """Two workers share parcels and rate, and begin together."""
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    topic = f"{it.name}-workers"
    it.broker.create({topic: (2, {})})
    running = [subprocess.Popen(
        [stand.PEAKLOAD, "generate", "--brokers", it.broker.address, "--topic", topic, "--rate",
         "400", "--seconds", "3", "--begin", begin, "--worker", f"{i}/2", "--quiet"])
               for i in (1, 2)]
    for process in running:
        trial.check(process.wait(60) == 0, "a worker failed")
    messages = in_topic(it, topic)
    trial.check(800 <= len(messages) <= 1200, f"400/s for 3 s made {len(messages)}")
    firsts = min(m.at_ms for m in messages)
    trial.check(firsts >= (int(time.time()) - 60) * 1000, "they began before their time")


def record(new, options):
    """a topic recorded and sent again is the same topic; under pseudonyms it has its order"""
    it = new(partitions=3)
    copy, hidden = f"{it.name}-copy", f"{it.name}-hidden"
    it.broker.create({name: (3, {"max.message.bytes": "2000000", "retention.ms": "-1"})
                      for name in (copy, hidden)})
    peakload(it, "generate", "--scans", "20000", "--broken", "0.02", "--start",
             "2025-11-11T00:00:00+08:00", "--seed", str(options.seed))
    file = os.path.join(it.folder, "whole.zst")
    done = peakload(it, "record", file)
    originals = in_topic(it)
    trial.check(done["recorded"] == len(originals) > 20000, f"recorded {done['recorded']}")
    peakload(it, "replay", "--topic", copy, "--partitions-as-recorded", "--timestamps",
             "recorded", file)

    def whole(m):
        return m.partition, m.key, m.value, tuple(m.headers), m.at_ms
    copies = in_topic(it, copy)
    trial.check(sorted(map(repr, map(whole, copies))) == sorted(map(repr, map(whole, originals))),
                "what was sent again is not what was recorded")
    trial.check(by_key(copies) == by_key(originals), "the order of a key has changed")
    middle = sorted(m.at_ms for m in originals)[len(originals) // 2]
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(middle // 1000))
    late = peakload(it, "replay", "--null", "--from-time", when, file)["sent"]
    trial.check(late == sum(m.at_ms >= middle // 1000 * 1000 for m in originals),
                f"{late} from {when} on")
    pseudonyms(it, hidden, originals)


def pseudonyms(it, hidden, originals):
    key, file = os.path.join(it.folder, "key"), os.path.join(it.folder, "hidden.zst")
    with open(key, "w", encoding="ascii") as out:
        out.write("00112233445566778899aabbccddeeff\n")
    done = peakload(it, "record", "--pseudonymise", key, file)
    trial.check(done["recorded"] + done["left_out"] == len(originals), f"lost some: {done}")
    peakload(it, "replay", "--topic", hidden, file)
    numbers = {m.key for m in originals if len(m.key) == 15}
    found = in_topic(it, hidden)
    shown = sum(any(name in (m.value or b"") for name in (m.key,)) for m in found)
    trial.check(shown > 19000, "key and parcel have different names")
    trial.check(not numbers & {m.key for m in found}, "a key is still there")
    for m in found[::97]:
        value = m.value or b""
        trial.check(not any(value[i:i + 15] in numbers for i in range(len(value))),
                    f"a number is still there: {value}")
    good = {k: [json.loads(v)["time"] for v in values] for k, values in by_key(
        m for m in originals if not m.headers).items()}
    theirs = sorted([json.loads(v)["time"] for v in values] for values in by_key(
        m for m in found if not m.headers).values())
    trial.check(sorted(good.values()) == theirs, "the order of a parcel's scans has changed")


def measure(new, options):
    """an open loop measured to the mark in Redis; HdrHistogram's own reader agrees"""
    it = new(partitions=3)
    group = "measure"
    instance = it.start(group, **{"checkpoint.interval": "200ms"})
    stand.until("ready", 30, instance.ready, 0.1)
    config = os.path.join(it.folder, "config.yaml")
    topics = it.outputs(group)
    with open(config, "w", encoding="utf-8") as file:
        json.dump({"kafka": {"group": group, "topics": topics},
                   "redis": {"address": f"unix:{it.redis_socket}"},
                   "rdkafka": {"producer": {"sasl.password": "hidden"}}}, file)
    files = {kind: os.path.join(it.folder, f"run.{kind}")
             for kind in ("hlog", "percentiles", "manifest")}
    words = ["--config", config, "--measure", "--rate", "500", "--seconds", "6"]
    done = peakload(it, "generate", *words, *(w for k, f in files.items() for w in (f"--{k}", f)),
                    "--limit", "visible.max=60s", "--limit", "lag=1000000",
                    "--limit", "slip=100%")
    took = done["latency"]
    for meter in ("sent", "acked", "visible"):
        trial.check(took[meter]["count"] == done["sent"],
                    f"{meter}: {took[meter]['count']} of {done['sent']}")
    trial.check(took["visible"]["p50_ms"] >= took["acked"]["p50_ms"] >= took["sent"]["p50_ms"],
                "what comes later came earlier")
    hdr_agrees(files["hlog"], took)
    with open(files["percentiles"], encoding="ascii") as file:
        trial.check(f"Total count    = {took['outputs']['count']:12}" in file.read(),
                    "the percentile text counts otherwise")
    with open(files["manifest"], encoding="utf-8") as file:
        whole = file.read()
        trial.check("hidden" not in whole and json.loads(whole)["machine"]["cores"] > 0,
                    "the manifest tells a secret, or no machine")
    peakload(it, "generate", *words, "--limit", "visible.p50=1ms", "--limit", "slip=100%", status=1)
    found = peakload(it, "search", "--config", config, "--from", "200", "--to", "400", "--seconds",
                     "2", "--limit", "visible.max=60s", "--limit", "slip=100%")
    trial.check(found["rate"] == 400 and [t["passed"] for t in found["trials"]] == [True, True],
                f"the search found {found}")
    peakload(it, "search", "--config", config, "--from", "200", "--seconds", "2", "--limit",
             "visible.p50=1ms", status=1)
    trial.check(instance.stop() == 0, "SIGTERM: the exit status is not 0")


def hdr_agrees(file, took):
    """The interval log, read and summed by HdrHistogram's own code."""
    sums = {}
    reader = hdrh.log.HistogramLogReader(file, hdrh.histogram.HdrHistogram(1000, 3600 * 10 ** 9, 3))
    while True:
        histogram = reader.get_next_interval_histogram()
        if histogram is None:
            break
        tag = histogram.get_tag()
        sums.setdefault(tag, hdrh.histogram.HdrHistogram(1000, 3600 * 10 ** 9, 3)).add(histogram)
    for meter in ("sent", "acked", "visible"):
        trial.check(sums[meter].get_total_count() == took[meter]["count"],
                    f"{meter}: HdrHistogram counts {sums[meter].get_total_count()}")
        for name, percentile in (("p50_ms", 50), ("p99_ms", 99), ("max_ms", 100)):
            # Its Python rounds the rank where its Java and we round up: a rank either way.
            rank = 150 / took[meter]["count"]
            low, high = (sums[meter].get_value_at_percentile(min(100, percentile + by)) / 1e6
                         for by in (-rank, rank))
            trial.check(low * 0.998 - 0.01 <= took[meter][name] <= high * 1.002 + 0.01,
                        f"{meter} {name}: {low} to {high} by HdrHistogram, {took[meter][name]} "
                        "by us")
