"""drains a filled topic: scans a second, and CPU per scan of peakline, Kafka and Redis.

A topic is filled beforehand.  Each run starts peakline with a fresh group and an empty Redis
and ends when the mark of every partition in Redis stands at the log's end: all outputs
acknowledged, the last checkpoint written.

The first run does not count: a broker that was just started compiles its own code for
seconds, which one that serves does not.

scans_per_s counts from the first mark (the first partition is claimed) to that end;
from_start from the start of the process.  CPU is that of the whole process from its start,
all threads.  rss_bytes_per_parcel is peakline's resident memory at the end, all of it, over
the parcels.
"""
import statistics
import time

import rig

POLL_S = 0.05
COLUMNS = (("run", "", "{}"), ("scans/s", "scans_per_s", "{:,.0f}"),
           ("from start", "from_start", "{:,.0f}"), ("seconds", "seconds", "{:.2f}"),
           ("peakline ns", "cpu_ns_peakline", "{:,.0f}"), ("Kafka ns", "cpu_ns_kafka", "{:,.0f}"),
           ("Redis ns", "cpu_ns_redis", "{:,.0f}"), ("RSS MB", "rss_mb", "{:,.0f}"),
           ("B/parcel", "rss_bytes_per_parcel", "{:,.0f}"), ("exit", "exit", "{}"))


def wait_for_end(bench, group, ends, timeout_s):
    """(time of the first mark, time of the end, records)."""
    first, deadline = None, time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        marks, now = bench.marks(group), time.monotonic()
        if marks and first is None:
            first = now
        if all(p in marks and marks[p][0] >= end for p, end in enumerate(ends)):
            return first, now, sum(records for _, records in marks.values())
        bench.check_peakline()
        time.sleep(POLL_S)
    left = sum(end - marks.get(p, (0, 0))[0] for p, end in enumerate(ends))
    raise rig.BenchError(f"not drained after {timeout_s} s: {left:,} scans left; "
                         f"see {bench.log} (--keep DIR keeps it)")


def run_once(bench, arguments, filled, group):
    scans = filled["scans"]
    bench.redis.commands([("FLUSHALL",)])
    others = {"kafka": bench.kafka_process, "redis": bench.redis_process}
    before = {name: process.cpu_ns() for name, process in others.items()}
    begun = time.monotonic()
    instances = [bench.start_peakline(arguments, group) for _ in range(arguments.instances)]
    first, end, records = wait_for_end(bench, group, filled["ends"], arguments.timeout)
    rss = sum(one.memory("VmRSS") for one in instances)
    result = {"scans_per_s": scans / (end - first), "from_start": scans / (end - begun),
              "seconds": end - begun,
              "cpu_ns_peakline": sum(one.cpu_ns() for one in instances) / scans,
              "rss_mb": rss / 1e6,
              "rss_peak_mb": sum(one.memory("VmHWM") for one in instances) / 1e6,
              "rss_bytes_per_parcel": rss / filled["parcels"], "records": records,
              "redis_bytes": bench.redis.used_memory()}
    for name, process in others.items():
        result[f"cpu_ns_{name}"] = (process.cpu_ns() - before[name]) / scans
    result["exit"] = bench.stop_peakline()
    return result


def medians(results):
    return {name: statistics.median(result[name] for result in results)
            for name in results[0] if name != "exit"}


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    machine, results = rig.machine(), []
    with rig.Rig(arguments.keep, say) as bench:
        filled = bench.fill(arguments.peakload, arguments.scans, arguments.parcels, arguments.seed)
        for number in range(arguments.warmups):
            say("a run that does not count: a broker just started compiles itself for seconds")
            run_once(bench, arguments, filled, f"warm-{int(time.time())}-{number}")
        rig.print_row(say, COLUMNS, [title for title, _, _ in COLUMNS])
        for number in range(1, arguments.runs + 1):
            result = run_once(bench, arguments, filled, f"drain-{int(time.time())}-{number}")
            results.append(result)
            rig.print_row(say, COLUMNS, [number, *(form.format(result[name])
                                                   for _, name, form in COLUMNS[1:])])
    middle = medians(results)
    if arguments.runs > 1:
        rig.print_row(say, COLUMNS,
                      ["median", *(form.format(middle[name]) if name in middle else ""
                                   for _, name, form in COLUMNS[1:])])
    summary = {"bench": "drain", **{name: round(middle[name]) for name in (
        "scans_per_s", "cpu_ns_peakline", "cpu_ns_kafka", "cpu_ns_redis",
        "rss_bytes_per_parcel")}}
    rig.record("drain", summary, {"machine": machine, "filled": filled, "runs": results,
                                  "settings": arguments.set, "workers": arguments.workers,
                                  "instances": arguments.instances})
    if any(result["exit"] != 0 for result in results):
        raise rig.BenchError("peakline did not end cleanly")


def main(words):
    parser = rig.options("drain", __doc__)
    rig.topic_options(parser, 3_000_000, 250_000)
    parser.add_argument("--instances", type=int, default=1, metavar="I")
    parser.add_argument("--runs", type=int, default=3, metavar="R")
    parser.add_argument("--warmups", type=int, default=1, metavar="W",
                        help="runs before them that do not count, for the broker's compiler")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
