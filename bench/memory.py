"""memory of a live parcel: bytes in the process, and in Redis, CPU-lean and memory-lean.

A topic of --parcels parcels with 8 scans each is drained twice: with the buckets as shipped
(CPU-lean) and with so many that one holds about 50 parcels, which Redis keeps as one list
(memory-lean; hash-max-listpack-value is raised).  process_bytes is what peakline's resident
memory grew by from its claims to the end, redis_bytes what Redis' used memory grew by, each over
the records that Redis then holds: alerts, indexes and the learned model are in both.
"""
import time

import drain
import peak
import rig

SCANS, LEAN = 8, 50


def run_once(bench, arguments, filled, lean):
    bench.redis.commands([("FLUSHALL",), ("CONFIG", "SET", "hash-max-listpack-value",
                                          "512" if lean else "64")])
    empty = bench.redis.used_memory()
    group = f"memory-{int(time.time() * 1000)}"
    buckets = max(1, arguments.parcels // rig.PARTITIONS // LEAN)
    peakline = bench.start_peakline(arguments, group,
                                    (f"redis.buckets={buckets}",) if lean else ())
    peak.wait_for_claims(bench, group)
    before = peakline.memory("VmRSS")
    _, _, records = drain.wait_for_end(bench, group, filled["ends"], arguments.timeout)
    process, stored = peakline.memory("VmRSS") - before, bench.redis.used_memory() - empty
    code = bench.stop_peakline()
    if code != 0:
        raise rig.BenchError(f"peakline ended with {code}")
    return {"lean": lean, "records": records, "process_bytes": process / records,
            "redis_bytes": stored / records}


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    machine, rows = rig.machine(), []
    with rig.Rig(arguments.keep, say) as bench:
        filled = bench.fill(arguments.peakload, arguments.parcels * SCANS, arguments.parcels,
                            arguments.seed)
        say(f"{'buckets':12} {'records':>10} {'process B':>10} {'Redis B':>10}")
        for lean in (False, True):
            row = run_once(bench, arguments, filled, lean)
            rows.append(row)
            say(f"{'memory-lean' if lean else 'CPU-lean':12} {row['records']:10,} "
                f"{row['process_bytes']:10,.0f} {row['redis_bytes']:10,.0f}")
    rig.record("memory", {"bench": "memory", "process_bytes": round(rows[0]["process_bytes"]),
                          "redis_bytes": round(rows[0]["redis_bytes"]),
                          "redis_bytes_lean": round(rows[1]["redis_bytes"])},
               {"machine": machine, "parcels": arguments.parcels, "runs": rows,
                "settings": arguments.set, "workers": arguments.workers})


def main(words):
    parser = rig.options("memory", __doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="of one run")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
