"""a labelled world through the whole of it: what was found, missed and told for nothing.

peakload makes a world in which things go wrong for a cause, and says which; Peakline reads it,
with the world's reference data and its own defaults; `peakload verify` compares.  What the table
says is in bench/peakload/README.md.  With --keep DIR each seed's topic, alerts, truth and reference
data stay in DIR/seed-N.
"""
import json
import subprocess
import time
import urllib.request

import rig
from drain import wait_for_end

QUIET_S = 4
COUNTERS = {"effective": "peakline_scans_effective_total", "merged": "peakline_scans_merged_total",
            "duplicate": "peakline_scans_duplicate_total"}
REFERENCES = ("facilities", "routes", "departures", "calendars")


def make_world(bench, arguments, seed):
    """{"ends", "scans", …}; the truth and the reference data lie in the rig's directory."""
    (bench.dir / "reference").mkdir(exist_ok=True)
    bench.say(f"a world of {arguments.parcels:,} parcels, seed {seed}")
    done = subprocess.run(
        [arguments.peakload, "generate", "--brokers", bench.brokers, "--topic", rig.TOPIC, "--json",
         "--quiet", "--parcels", str(arguments.parcels), "--seed", str(seed),
         "--truth", bench.dir / "truth.jsonl", "--reference", bench.dir / "reference"],
        stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise rig.BenchError(f"peakload ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def counters(bench):
    """The sums over workers of what every scan was."""
    with urllib.request.urlopen(f"{bench.http}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: sum(int(float(line.split()[-1])) for line in lines
                      if line.split("{")[0].split(" ")[0] == metric)
            for name, metric in COUNTERS.items()}


def wait_until_quiet(bench, timeout_s):
    """The last deadlines fire once the partition clocks have come to now."""
    deadline, before, since = time.monotonic() + timeout_s, None, time.monotonic()
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{bench.http}/metrics", timeout=10) as answer:
            now = [line for line in answer.read().decode().splitlines()
                   if line.startswith("peakline_alerts") or "outputs" in line]
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET_S:
            return
        time.sleep(0.5)
    raise rig.BenchError(f"alerts still change {timeout_s} s after the last scan was read")


def verify(bench, arguments, counted):
    words = [arguments.peakload, "verify", "--brokers", bench.brokers,
             "--truth", bench.dir / "truth.jsonl", "--json", "--forecasts"]
    words += [word for name, count in counted.items() for word in (f"--{name}", str(count))]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL if arguments.json else None)
    if not done.stdout:
        raise rig.BenchError(f"peakload verify ended with {done.returncode}")
    return json.loads(done.stdout)


def one_world(arguments, say, seed):
    group, keep = f"truth-{seed}", arguments.keep and f"{arguments.keep}/seed-{seed}"
    with rig.Rig(keep, say, settings=("log.retention.ms=-1",)) as bench:
        if (bench.dir / "truth.jsonl").exists():
            raise rig.BenchError(f"{bench.dir} holds a world already: want another --keep")
        filled = make_world(bench, arguments, seed)
        bench.start_peakline(arguments, group, [
            f"reference.{name}={bench.dir / 'reference'}/{name}.csv" for name in REFERENCES])
        first, end, _ = wait_for_end(bench, group, filled["ends"], arguments.timeout)
        wait_until_quiet(bench, arguments.timeout)
        counted = counters(bench)
        bench.stop_peakline()
        result = verify(bench, arguments, counted)
    return {"seed": seed, "scans": filled["sent"], "seconds": end - first, **counted, **result}


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    machine = rig.machine()
    worlds = [one_world(arguments, say, seed) for seed in arguments.seeds]
    rig.record("truth", {"bench": "truth", "passed": all(world["passed"] for world in worlds),
                         "worlds": len(worlds), "parcels": arguments.parcels,
                         "missed": sum(world["missed"] for world in worlds),
                         "false": sum(world["false"] for world in worlds)},
               {"machine": machine, "runs": worlds, "settings": arguments.set})
    if not all(world["passed"] for world in worlds):
        raise rig.BenchError("a limit is not reached")


def main(words):
    parser = rig.options("truth", __doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED")
    parser.add_argument("--timeout", type=float, default=900, metavar="S")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
