"""memory over time: the slope of peakline's resident set under load, with a fault every 15 s.

Traffic flows at --rate for --seconds; parcels are forgotten as fast as new ones come, so that the
state does not grow.  The faults, in turn: Redis killed -9 and started empty, every connection to
Redis cut, Kafka asleep for 3 s, peakline asleep for 8 s, a reload.  The first third is for warming
up.  slope is the median of the slopes between pairs of samples (Theil and Sen's), in bytes an
hour; the run fails when an hour of it is more than --slope-max of the resident set, or when
anything that was sent has not been read in the end.

Kafka keeps --kept seconds of the log, as a real one keeps days: a view that is lost is rebuilt
from the log's start, what that takes is taken once, and with a log that only grows each rebuild
would be larger than the one before.
"""
import json
import os
import signal
import statistics
import subprocess
import time

import idle
import rig

SAMPLE_S, PAIRS = 1.0, 400
FORGET = ("retention.terminal=1min", "retention.linger=1s", "retention.idle=1min",
          "rdkafka.consumer.session.timeout.ms=6000")


def redis_killed(bench, _):
    """It comes back empty: the view is rebuilt from the log."""
    os.kill(bench.redis_process.pid, signal.SIGKILL)
    bench.redis.close()
    time.sleep(1)
    bench._service("redis", "start")
    lines = (bench.dir / "env").read_text().split()
    bench.env = dict(line.split("=", 1) for line in lines)
    bench.redis_process = rig.Process(int(bench.env["REDIS_PID"]))
    bench.redis = rig.Redis(bench.env["REDIS_SOCKET"])


def redis_cut(bench, _):
    bench.redis.commands([("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")])


def asleep(pid, seconds):
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def kafka_asleep(bench, _):
    asleep(bench.kafka_process.pid, 3)


def peakline_asleep(_, peakline):
    asleep(peakline.pid, 8)


def reloaded(_, peakline):
    os.kill(peakline.pid, signal.SIGHUP)


FAULTS = (redis_cut, kafka_asleep, peakline_asleep, reloaded, redis_killed)


def slope_of(samples):
    """Bytes a second; pairs that are half the time apart say most."""
    half = len(samples) // 2
    step = max(1, half // PAIRS)
    return statistics.median((samples[i + half][1] - samples[i][1]) /
                             (samples[i + half][0] - samples[i][0])
                             for i in range(0, len(samples) - half, step))


def watch(bench, peakline, arguments, say):
    """[(second, resident bytes)], {fault: times}"""
    samples, faults, begun, turn = [], {}, time.monotonic(), 0
    while time.monotonic() - begun < arguments.seconds:
        bench.check_peakline()
        now = time.monotonic() - begun
        samples.append((now, peakline.memory("VmRSS")))
        if now >= (turn + 1) * arguments.every:
            fault = FAULTS[turn % len(FAULTS)]
            fault(bench, peakline)
            faults[fault.__name__] = faults.get(fault.__name__, 0) + 1
            say(f"{now:6.0f} s  {samples[-1][1] / 1e6:7.1f} MB  {fault.__name__}")
            turn += 1
        time.sleep(SAMPLE_S)
    return samples, faults


def wait_for_end(bench, group, sent, seconds):
    """Until what is stored is all that was sent."""
    deadline = time.monotonic() + seconds
    while sum(offset for offset, _ in bench.marks(group).values()) < sent:
        bench.check_peakline()
        if time.monotonic() > deadline:
            raise rig.BenchError(f"{sent} messages were sent; {seconds} s later Redis is at "
                                 f"{bench.marks(group)}")
        time.sleep(0.5)


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    machine, group = rig.machine(), f"soak-{int(time.time())}"
    kept = (f"log.retention.ms={arguments.kept * 1000}", "log.roll.ms=10000",
            "log.retention.check.interval.ms=5000", "log.segment.delete.delay.ms=1000")
    with rig.Rig(arguments.keep, say, settings=kept) as bench:
        peakline = bench.start_peakline(arguments, group, FORGET)
        idle.wait_for_claims(bench, group)
        load = subprocess.Popen(
            [arguments.peakload, "generate", "--brokers", bench.brokers, "--topic", rig.TOPIC,
             "--quiet", "--json", "--rate", str(arguments.rate), "--alive",
             str(arguments.rate * 10), "--seconds", str(arguments.seconds), "--seed",
             str(arguments.seed)], stdout=subprocess.PIPE, text=True)
        try:
            samples, faults = watch(bench, peakline, arguments, say)
            said = load.communicate(timeout=120)[0]
        finally:
            load.kill()
        wait_for_end(bench, group, sum(json.loads(said.splitlines()[-1])["ends"]), 120)
        code = bench.stop_peakline()
    settled = samples[len(samples) // 3:]
    rss = statistics.median(bytes_ for _, bytes_ in settled)
    share = slope_of(settled) * 3600 / rss
    say(f"{sum(faults.values())} faults, {rss / 1e6:.1f} MB resident, slope {share:+.2%} an hour")
    rig.record("soak", {"bench": "soak", "slope_bytes_per_h": round(share * rss),
                        "slope_share_per_h": round(share, 4), "rss_bytes": round(rss),
                        "faults": sum(faults.values()), "seconds": arguments.seconds},
               {"machine": machine, "faults_of": faults, "samples": samples, "rate": arguments.rate,
                "settings": arguments.set, "workers": arguments.workers})
    if code != 0:
        raise rig.BenchError(f"peakline ended with {code}")
    if share > arguments.slope_max:
        raise rig.BenchError(f"memory grows by {share:.1%} an hour; at most "
                             f"{arguments.slope_max:.0%}")


def main(words):
    parser = rig.options("soak", __doc__)
    parser.add_argument("--seconds", type=int, default=1200, metavar="S")
    parser.add_argument("--every", type=float, default=15, metavar="S", help="between two faults")
    parser.add_argument("--rate", type=int, default=2000, metavar="N", help="messages a second")
    parser.add_argument("--kept", type=int, default=120, metavar="S", help="of the log, in Kafka")
    parser.add_argument("--slope-max", type=float, default=0.15, metavar="SHARE",
                        help="of the resident set, an hour")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
