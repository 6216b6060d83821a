"""connected, without traffic: the share of one core that peakline, Kafka and Redis take.

A share of 0.01 is 1 % of one core.
"""
import time

import rig


def measure(arguments, say):
    rig.need(arguments.peakline)
    machine = rig.machine()
    with rig.Rig(arguments.keep, say) as bench:
        group = f"idle-{int(time.time())}"
        bench.redis.commands([("FLUSHALL",)])
        peakline = bench.start_peakline(arguments, group, ("kafka.start=latest",))
        wait_for_claims(bench, group)
        time.sleep(arguments.settle)
        processes = {"peakline": peakline, "kafka": bench.kafka_process,
                     "redis": bench.redis_process}
        before, begun = {name: p.cpu_ns() for name, p in processes.items()}, time.monotonic()
        say(f"measuring for {arguments.seconds:.0f} s")
        time.sleep(arguments.seconds)
        bench.check_peakline()
        passed_ns = (time.monotonic() - begun) * 1e9
        shares = {f"cpu_share_{name}": round((p.cpu_ns() - before[name]) / passed_ns, 5)
                  for name, p in processes.items()}
        rss, code = peakline.memory("VmRSS"), bench.stop_peakline()
    for name, share in shares.items():
        say(f"{name[10:]:10} {share:8.2%} of a core")
    rig.record("idle", {"bench": "idle", **shares, "rss_bytes": rss},
               {"machine": machine, "seconds": arguments.seconds, "settings": arguments.set,
                "workers": arguments.workers})
    if code != 0:
        raise rig.BenchError(f"peakline ended with {code}")


def wait_for_claims(bench, group):
    deadline = time.monotonic() + 60
    while len(bench.marks(group)) < rig.PARTITIONS:
        bench.check_peakline()
        if time.monotonic() > deadline:
            raise rig.BenchError(f"only {len(bench.marks(group))} of {rig.PARTITIONS} partitions "
                                 "claimed after 60 s")
        time.sleep(0.2)


def main(words):
    parser = rig.options("idle", __doc__)
    parser.add_argument("--seconds", type=float, default=20, metavar="S")
    parser.add_argument("--settle", type=float, default=5, metavar="S",
                        help="seconds between the last claim and the measurement")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
