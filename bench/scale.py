"""cost per scan against the number of parcels and of workers: drains, one after another.

Each number of parcels has a topic of its own, 12 scans a parcel, drained as `drain` does; the
first of them again with each number of workers.  growth is the dearest over the cheapest CPU per
scan among the numbers of parcels: peakline, Kafka and Redis together.
"""
import copy
import time

import drain
import plot
import rig

SCANS = 12


def cost(row):
    return sum(row[f"cpu_ns_{name}"] for name in ("peakline", "kafka", "redis"))


def drains(arguments, say, parcels, workers):
    """A topic of so many parcels, drained with each number of workers."""
    rows = []
    with rig.Rig(None, lambda *_: None) as bench:
        filled = bench.fill(arguments.peakload, parcels * SCANS, parcels, arguments.seed)
        for count in workers:
            one = copy.copy(arguments)
            one.workers = count
            row = drain.run_once(bench, one, filled, f"scale-{int(time.time() * 1000)}")
            rows.append({"parcels": parcels, "workers": count, "cpu_ns": cost(row), **row})
            say(f"{parcels:12,} {count or 'default':>8} {row['scans_per_s']:12,.0f} "
                f"{cost(row):10,.0f}")
            if row["exit"] != 0:
                raise rig.BenchError("peakline did not end cleanly")
    return rows


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    machine, rows = rig.machine(), []
    say(f"{'parcels':>12} {'workers':>8} {'scans/s':>12} {'CPU ns':>10}")
    for number, parcels in enumerate(arguments.parcels):
        rows += drains(arguments, say, parcels,
                       [arguments.workers, *(arguments.with_workers if number == 0 else ())])
    sizes = [row for row in rows if row["workers"] == arguments.workers]
    costs = [row["cpu_ns"] for row in sizes]
    plot.lines(rig.RESULTS / "scale.svg", "bench/run scale: CPU of all, ns per scan", "parcels",
               [("peakline, Kafka, Redis", [(f"{row['parcels']:,}", row["cpu_ns"])
                                            for row in sizes])])
    rig.record("scale", {"bench": "scale", "growth": round(max(costs) / min(costs), 3),
                         "cpu_ns_least": round(min(costs)), "cpu_ns_most": round(max(costs))},
               {"machine": machine, "runs": rows, "settings": arguments.set,
                "workers": arguments.workers})


def numbers(text):
    return [int(word) for word in text.split(",")]


def main(words):
    parser = rig.options("scale", __doc__)
    parser.add_argument("--parcels", type=numbers, default=[100_000, 300_000, 1_000_000],
                        metavar="N,N…", help="numbers of parcels")
    parser.add_argument("--with-workers", type=numbers, default=[1, 2, 4], metavar="W,W…",
                        help="numbers of workers, for the first number of parcels")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--timeout", type=float, default=600, metavar="S", help="of one drain")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
