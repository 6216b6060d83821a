"""runs the product's stages alone on one thread: time and instructions a scan, stage by stage.

The topic is in memory, every output is acknowledged at once, Redis is real (its own process,
not counted).  Times are of the stages' turns, medians of the runs.  With --instructions one
run more goes through valgrind's callgrind: what a stage's callbacks cost, all they call
included, and what every stage costs together; --limit fails beyond so many a scan.
Instructions do not depend on how loaded the machine is; checkpoints are far apart there, so
that the clock decides nothing.
"""
import json
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import tempfile

import rig

SLOW = ("checkpoint.interval=60s", "catch_up.interval=60s")
# Callbacks, as callgrind names them: file and function.
CALLBACKS = {"source_kafka": ("source_kafka.c:on_tick", "source_kafka.c:on_return"),
             "decode": ("decode.c:on_batch",),
             "track": ("track.c:track_on_batch", "track.c:track_on_tick",
                       "track.c:track_on_return"),
             "checkpoint": ("checkpoint.c:checkpoint_on_batch", "checkpoint.c:checkpoint_on_tick",
                            "checkpoint.c:checkpoint_on_return"),
             "store_redis": ("store_redis.c:store_on_batch", "store_redis.c:store_on_tick"),
             "sink_kafka": ("sink_kafka.c:on_batch", "sink_kafka.c:on_tick"),
             "all": ("stage.c:stage_turn",)}


def write_messages(path, peakload, scans, parcels, seed):
    """What `peakload` makes, in the form that peakline-stages reads."""
    making = subprocess.Popen(
        [peakload, "generate", "--stdout", "--quiet", "--partitions", str(rig.PARTITIONS),
         *rig.traffic(scans, parcels, seed)], stdout=subprocess.PIPE)
    with path.open("wb") as out:
        for line in making.stdout:
            message = json.loads(line)
            key, value = message["key"].encode(), message["payload"].encode()
            out.write(struct.pack("<iqII", message["partition"], message["ts"], len(key),
                                  len(value)) + key + value)
    if making.wait() != 0:
        raise rig.BenchError(f"peakload ended with {making.returncode}")


def run_stages(bench, arguments, messages, number, tool=(), settings=()):
    bench.redis.commands([("FLUSHALL",)])
    done = subprocess.run(
        [*tool, arguments.stages, str(messages), f"kafka.group=stages-{number}",
         f"redis.address=unix:{bench.env['REDIS_SOCKET']}", "http.listen=off",
         "runners.workers=1", *settings,
         *arguments.set], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise rig.BenchError(f"{arguments.stages} ended with {done.returncode}: "
                             + "\n".join(done.stderr.splitlines()[-5:]))
    return json.loads(done.stdout.splitlines()[-1])


def instructions(bench, arguments, messages, directory):
    """{stage: instructions a scan}."""
    if shutil.which("valgrind") is None:
        raise rig.BenchError("valgrind not found: install it for --instructions")
    counts = pathlib.Path(arguments.callgrind) if arguments.callgrind else directory / "callgrind"
    result = run_stages(bench, arguments, messages, "callgrind",
                        ("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={counts}"),
                        SLOW)
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=99.99",
                           str(counts)], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {}
    for number, place in re.findall(r"^\s*([\d,]+) \(.*?\)\s+(\S+)", text, re.MULTILINE):
        found.setdefault(place.rpartition("/")[2], int(number.replace(",", "")))
    if not any(name in found for name in CALLBACKS["all"]):
        raise rig.BenchError(f"{arguments.stages} tells no names of functions: build it with -g "
                             "(CMAKE_BUILD_TYPE=RelWithDebInfo, the default)")
    return {stage: round(sum(found.get(name, 0) for name in names) / result["scans"])
            for stage, names in CALLBACKS.items()}


def median_of(results, stage):
    return statistics.median(result["ns"].get(stage, result["ns"].get(stage + ".0", 0.0))
                             for result in results)


def measure(arguments, say):
    rig.need(arguments.stages, arguments.peakload)
    machine, counted = rig.machine(), {}
    with tempfile.TemporaryDirectory(prefix="peakline-stages-") as name, \
            rig.Rig(None, say, kafka=False) as bench:
        messages = pathlib.Path(name) / "messages"
        say(f"making {arguments.scans:,} scans of {arguments.parcels:,} parcels")
        write_messages(messages, arguments.peakload, arguments.scans, arguments.parcels,
                       arguments.seed)
        results = [run_stages(bench, arguments, messages, i) for i in range(arguments.runs)]
        if arguments.instructions or arguments.limit:
            say("counting instructions")
            counted = instructions(bench, arguments, messages, pathlib.Path(name))
    times = {stage: round(median_of(results, stage)) for stage in CALLBACKS if stage != "all"}
    times["all"] = sum(times.values())
    say(f"{'stage':14}{'ns/scan':>10}{'instructions/scan':>20}")
    for stage, ns in times.items():
        say(f"{stage:14}{ns:>10,}" + (f"{counted[stage]:>20,}" if counted else ""))
    summary = {"bench": "stages", "ns": times, "instructions": counted}
    rig.record("stages", summary, {"machine": machine, "runs": results, "scans": arguments.scans,
                                   "parcels": arguments.parcels, "settings": arguments.set})
    if arguments.limit and counted["all"] > arguments.limit:
        raise rig.BenchError(f"{counted['all']:,} instructions a scan, at most "
                             f"{arguments.limit:,} are allowed")


def main(words):
    parser = rig.options("stages", __doc__)
    parser.add_argument("--stages", default=str(rig.ROOT / "build" / "peakline-stages"),
                        metavar="FILE")
    parser.add_argument("--scans", type=int, default=300_000, metavar="N")
    parser.add_argument("--parcels", type=int, default=25_000, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="R")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--instructions", action="store_true", help="count them, with valgrind")
    parser.add_argument("--callgrind", metavar="FILE", help="keep callgrind's output there")
    parser.add_argument("--limit", type=int, default=0, metavar="N",
                        help="fail beyond N instructions a scan")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
