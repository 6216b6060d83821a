"""an open loop at a given rate: latency from due times, with everything on the same cores.

peakload sends at the rate whatever happens; latency counts from the moment a scan was due to its
alerts and ETAs at a consumer of all of them, and to the moment a reader of Redis sees it.  The
first --warmup seconds do not count.  CPU is that of each process over the whole run, per scan.
slip is the share of scans that were due and not sent; more than 1 % fails the run.
"""
import json
import subprocess
import time

import plot
import rig

PROCESSES = ("peakline", "peakload", "kafka", "redis")
COLUMNS = (("rate", "rate", "{:,.0f}"), ("sent/s", "per_s", "{:,.0f}"),
           ("slip %", "slip_percent", "{:.2f}"), ("p50 ms", "p50_ms", "{:,.1f}"),
           ("p99 ms", "p99_ms", "{:,.1f}"), ("visible p99", "visible_p99_ms", "{:,.1f}"),
           ("lag", "lag_most", "{:,.0f}"), *((f"{name} ns", f"cpu_ns_{name}", "{:,.0f}")
                                             for name in PROCESSES))


def run_once(bench, arguments, rate, seconds):
    """One open loop at the rate, with a peakline of its own."""
    group = f"peak-{int(time.time() * 1000)}"
    bench.redis.commands([("FLUSHALL",)])
    peakline = bench.start_peakline(arguments, group, ("kafka.start=latest",))
    wait_for_claims(bench, group)
    processes = {"peakline": peakline, "kafka": bench.kafka_process, "redis": bench.redis_process}
    before = {name: process.cpu_ns() for name, process in processes.items()}
    done = measure_load(bench, arguments, group, rate, seconds)
    bench.check_peakline()
    result = {"rate": rate, "seconds": seconds, "slip_percent": done["slip"] * 100,
              "visible_p99_ms": done["latency"]["visible"]["p99_ms"],
              "cpu_ns_peakload": done["cpu_ns"],
              **{name: done[name] for name in ("sent", "slip", "p50_ms", "p99_ms", "lag_most",
                                               "never_visible", "latency")}}
    result["per_s"] = done["sent"] / max(seconds, done["sent"] / rate)
    for name, process in processes.items():
        result[f"cpu_ns_{name}"] = (process.cpu_ns() - before[name]) / done["sent"]
    result["rss_mb"] = peakline.memory("VmRSS") / 1e6
    result["exit"] = bench.stop_peakline()
    return result


def wait_for_claims(bench, group):
    deadline = time.monotonic() + 60
    while len(bench.marks(group)) < rig.PARTITIONS:
        bench.check_peakline()
        if time.monotonic() > deadline:
            raise rig.BenchError("not every partition claimed after 60 s")
        time.sleep(0.2)


def measure_load(bench, arguments, group, rate, seconds):
    config = bench.dir / "peakload.yaml"      # JSON is YAML
    config.write_text(json.dumps({"kafka": {"brokers": bench.brokers, "group": group},
                                  "redis": {"address": f"unix:{bench.env['REDIS_SOCKET']}"}}))
    words = ["generate", "--config", config, "--measure", "--json", "--quiet", "--rate", str(rate),
             "--seconds", str(seconds), "--warmup", f"{arguments.warmup:g}s", "--probe",
             str(arguments.probe), "--alive", str(arguments.parcels), "--seed",
             str(arguments.seed), "--limit", "slip=100%", "--hlog", bench.dir / "peak.hlog"]
    done = subprocess.run([arguments.peakload, *words], stdout=subprocess.PIPE, text=True,
                          timeout=seconds + 180)
    if done.returncode != 0:
        raise rig.BenchError(f"peakload ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(name, arguments, rates, say):
    """The rates in turn; what peak and latency have in common.  The rows."""
    rig.need(arguments.peakline, arguments.peakload)
    rows = []
    with rig.Rig(arguments.keep, say) as bench:
        rig.print_row(say, COLUMNS, [title for title, _, _ in COLUMNS])
        for rate in rates:
            row = run_once(bench, arguments, rate, arguments.seconds)
            rows.append(row)
            rig.print_row(say, COLUMNS, ["-" if row[key] is None else form.format(row[key])
                                         for _, key, form in COLUMNS])
    plot.lines(rig.RESULTS / f"{name}.svg", f"bench/run {name}: from the due time, ms",
               "share of all", [(f"{row['rate']:,.0f}/s {meter}", points(row["latency"][meter]))
                                for row in rows for meter in ("outputs", "visible")
                                if row["latency"][meter]["count"]])
    return rows


def points(latency):
    """Percentiles as points: the share that is slower, halved and halved again."""
    return [(share, latency[key]) for share, key in
            (("50 %", "p50_ms"), ("90 %", "p90_ms"), ("99 %", "p99_ms"), ("99.9 %", "p999_ms"),
             ("all", "max_ms"))]


def options(name, description):
    parser = rig.options(name, description)
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="of each run")
    parser.add_argument("--warmup", type=float, default=5, metavar="S", help="what does not count")
    parser.add_argument("--probe", type=int, default=20, metavar="N",
                        help="one scan in N carries its due time")
    parser.add_argument("--parcels", type=int, default=500_000, metavar="N",
                        help="under way at a time")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    return parser


def run(arguments, say):
    machine = rig.machine()
    row = measure("peak", arguments, [arguments.rate], say)[0]
    summary = {"bench": "peak", "rate": row["rate"], "slip": round(row["slip"], 5),
               "p50_ms": row["p50_ms"], "p99_ms": row["p99_ms"],
               "visible_p99_ms": row["visible_p99_ms"], "lag_most": row["lag_most"],
               **{f"cpu_ns_{name}": round(row[f"cpu_ns_{name}"]) for name in PROCESSES}}
    rig.record("peak", summary, {"machine": machine, "runs": [row], "settings": arguments.set,
                                 "workers": arguments.workers})
    if row["exit"] != 0:
        raise rig.BenchError("peakline did not end cleanly")
    if row["p50_ms"] is None:
        raise rig.BenchError("no alert and no ETA carried a due time")
    if row["slip"] > 0.01:
        raise rig.BenchError(f"{row['slip']:.1%} of what was due was not sent: the rate is beyond "
                             "this machine")


def main(words):
    parser = options("peak", __doc__)
    parser.add_argument("--rate", type=float, default=500_000, metavar="N", help="scans a second")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: run(arguments, rig.speaker(arguments)))
