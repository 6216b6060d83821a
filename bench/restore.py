"""kill -9 of an instance with a million live parcels: how soon does a cold one answer?

A topic of --parcels parcels with 8 scans each, all under way at once, is drained almost to its
end.  Then the instance is killed, and another begins at once as the same member of the group:
what is left in the topic are fresh scans of stored parcels.

first_scan_ms counts from the group's assignment until every partition with a scan left in the
topic has answered its first (its position has moved beyond mark); parcels_per_s is how fast state
streamed in, all partitions together, from the assignment until the last of them was ready;
cpu_ns_* what the cold process has taken from its start, and Redis, when all that is done, a parcel.
kill_ms counts from the kill to the first scan of all, with the shipped timeouts and static
membership; with --stranger the second instance is another member, and waits for the first one's
session to end.
"""
import datetime
import json
import time
import urllib.request

import rig

SCANS = 8
POLL_S = 0.01


def wait_until_near_end(bench, group, ends, share, timeout_s):
    """Until the marks of all partitions hold so much of the log."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        marks = bench.marks(group)
        if sum(offset for offset, _ in marks.values()) >= share * sum(ends):
            return
        bench.check_peakline()
        time.sleep(0.02)
    raise rig.BenchError(f"not at {share:.0%} of the log after {timeout_s} s; see {bench.log}")


def partitions(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["partitions"]
    except OSError:
        return []


def watch(bench, url, marks, timeout_s):
    """{partition: when its position was first beyond its mark}."""
    moved, deadline = {}, time.time() + timeout_s
    while len(moved) < len(marks):
        now = time.time()
        for row in partitions(url):
            begun = marks.get(row["partition"], row["position"])
            if row["phase"] == "running" and row["position"] > begun:
                moved.setdefault(row["partition"], now)
        bench.check_peakline()
        if now > deadline:
            raise rig.BenchError(f"{len(moved)} of {len(marks)} partitions answer after "
                                 f"{timeout_s} s; see {bench.log}")
        time.sleep(POLL_S)
    return moved


READY = "is ours from offset"


def wait_until_ready(bench, timeout_s):
    deadline = time.time() + timeout_s
    while len(log_times(bench.log, READY)) < rig.PARTITIONS:
        bench.check_peakline()
        if time.time() > deadline:
            raise rig.BenchError(f"not every partition is ready after {timeout_s} s")
        time.sleep(0.05)


def log_times(log, pattern):
    """When lines with this were logged, as Unix time."""
    times = []
    for line in log.read_text(errors="replace").splitlines():
        if pattern in line:
            moment = datetime.datetime.fromisoformat(json.loads(line)["ts"].replace("Z", "+00:00"))
            times.append(moment.timestamp())
    return times


def kill_and_restore(bench, arguments, filled, group):
    first = (f"kafka.instance={group}",)
    second = (f"kafka.instance={group}-stranger",) if arguments.stranger else first
    bench.start_peakline(arguments, group, first)
    wait_until_near_end(bench, group, filled["ends"], arguments.kill_at, arguments.timeout)
    killed = time.time()
    bench.kill_peakline()
    marks = bench.marks(group)
    left = {p: marks[p][0] for p, end in enumerate(filled["ends"]) if marks[p][0] < end}
    if len(left) < rig.PARTITIONS // 3:
        raise rig.BenchError("most partitions were at their end already: no fresh scan is left "
                             "for them; lower --kill-at")
    redis_ns = bench.redis_process.cpu_ns()
    peakline = bench.start_peakline(arguments, group, second)
    moved = watch(bench, f"{bench.http}/partitions", left, arguments.timeout)
    wait_until_ready(bench, arguments.timeout)
    cpu_ns, redis_ns = peakline.cpu_ns(), bench.redis_process.cpu_ns() - redis_ns
    assigned = log_times(bench.log, "the group assigns")[-1]
    ready = log_times(bench.log, READY)
    records = sum(records for _, records in marks.values())
    result = {"records": records, "partitions_with_scans": len(left),
              "first_scan_ms": (max(moved.values()) - assigned) * 1000,
              "first_of_all_ms": (min(moved.values()) - assigned) * 1000,
              "ready_ms": [round((at - assigned) * 1000) for at in ready],
              "parcels_per_s": records / (ready[-1] - assigned),
              "kill_ms": (min(moved.values()) - killed) * 1000,
              "kill_all_ms": (max(moved.values()) - killed) * 1000,
              "assigned_after_ms": (assigned - killed) * 1000,
              "cpu_ns_peakline": cpu_ns / records, "cpu_ns_redis": redis_ns / records,
              "rss_mb": peakline.memory("VmRSS") / 1e6}
    result["exit"] = bench.stop_peakline()
    return result


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    machine, runs = rig.machine(), []
    with rig.Rig(arguments.keep, say) as bench:
        filled = bench.fill(arguments.peakload, arguments.parcels * SCANS, arguments.parcels,
                            arguments.seed, alive=arguments.parcels)
        say(f"{'run':>3} {'records':>10} {'assigned':>9} {'first of all':>12} {'first scans':>12} "
            f"{'parcels/s':>10} {'kill to first':>13} {'CPU ns':>7} {'Redis ns':>8}")
        for number in range(1, arguments.runs + 1):
            bench.redis.commands([("FLUSHALL",)])
            run = kill_and_restore(bench, arguments, filled, f"restore-{int(time.time())}")
            runs.append(run)
            say(f"{number:3} {run['records']:10,} {run['assigned_after_ms']:6,.0f} ms "
                f"{run['first_of_all_ms']:9,.0f} ms {run['first_scan_ms']:9,.0f} ms "
                f"{run['parcels_per_s']:10,.0f} {run['kill_ms']:10,.0f} ms "
                f"{run['cpu_ns_peakline']:7,.0f} {run['cpu_ns_redis']:8,.0f}")
    best = min(runs, key=lambda run: run["first_scan_ms"])
    rig.record("restore", {"bench": "restore", **{name: round(best[name]) for name in (
        "first_scan_ms", "parcels_per_s", "kill_ms", "records")}},
               {"machine": machine, "filled": filled, "runs": runs, "settings": arguments.set,
                "workers": arguments.workers, "stranger": arguments.stranger})


def main(words):
    parser = rig.options("restore", __doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--runs", type=int, default=1, metavar="R")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--kill-at", type=float, default=0.9, metavar="SHARE",
                        help="of the log that is drained before the kill")
    parser.add_argument("--stranger", action="store_true",
                        help="the second instance is another member of the group")
    parser.add_argument("--timeout", type=float, default=300, metavar="S")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
