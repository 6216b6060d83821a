"""scenarios - Peakline against a real Kafka and a real Redis, judged by the oracle.

    tests/system/run [--data DIR] [--seed N] [--keep] [--all | NAME...]
    tests/system/run --list

Each scenario has its own topics, groups and Redis; the broker is shared.  --keep leaves the
directories (logs, Redis, Kafka) where they are and says so.
"""
import argparse
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

SECONDS_MAX = 240
# name, module and function, whether it belongs to the short set, what happens
SCENARIOS = [
    ("oracle", "on_input.oracle_itself", True,
     "the oracle against planted mistakes: it names each"),
    ("poison", "on_input.poison", True,
     "1 % of the messages are no scans: each stands in the dead-letter topic, unchanged"),
    ("kill9", "on_process.kill9", True,
     "two instances, killed -9 at random moments while scans flow"),
    ("redis-restart", "on_redis.restart", True,
     "Redis loses everything, by FLUSHALL and by a restart: the view is rebuilt"),
    ("drain", "on_process.drain", True,
     "SIGTERM in full flow, poison in it: exit 0, and whoever goes on repeats nothing"),
    ("olist", "on_input.olist", True,
     "real orders on the event clock; a run killed -9 ends as an undisturbed one does"),
    ("future", "on_input.future", True, "records stamped up to fifty years ahead"),
    ("partitions", "on_partitions.partitions_added", True,
     "partitions added: noticed and refused, nothing is split"),
    ("reload", "on_process.reload", True,
     "SIGHUP under load, with good files and bad ones: nothing is lost, mistakes change nothing"),
    ("replay", "on_load.replay", True,
     "peakload: recorded lines sent again, many times over, at their pace or another"),
    ("record", "on_load.record", True,
     "peakload: a topic recorded and sent again is the same topic; pseudonyms hide who is who"),
    ("measure", "on_load.measure", True,
     "peakload: an open loop measured to the outputs and to Redis, as HdrHistogram reads it"),
    ("outage", "on_activity.outage", True,
     "a hub's feed stops on the second day, and peakline is killed -9: one alert, counts exact"),
    ("kill9-loop", "on_process.kill9_loop", False, "kill -9, at least fifty times under load"),
    ("sigterm-loop", "on_process.sigterm_loop", False, "SIGTERM, again and again: no repeats"),
    ("sigstop", "on_process.sigstop", False,
     "asleep beyond the session, awake when the other has taken over"),
    ("both-killed", "on_process.both_killed", False, "both instances killed -9 at once"),
    ("rolling", "on_process.rolling", False,
     "two instances restarted in turn: at most 5 s without progress, no repeats"),
    ("memory", "on_process.out_of_memory", False, "the process gets no more memory"),
    ("broker", "on_input.broker_restart", False, "Kafka killed -9 and restarted"),
    ("reshard", "on_partitions.reshard_all", False,
     "other counts of partitions and buckets: peakline reshard, killed -9 on its way"),
    ("gap", "on_partitions.gap", False,
     "records gone from Kafka before they were read: named, counted, never passed over unsaid"),
    ("recreated", "on_partitions.recreated", False, "another topic of the same name: refused"),
    ("kafka-asleep", "on_input.asleep", False,
     "Kafka acknowledges nothing: after 30 s /ready says so, and where the work is stuck"),
    ("burst", "on_input.burst", False, "ten times the rate"),
    ("redis-aof", "on_redis.aof", False, "Redis loses the last second of its file, and restarts"),
    ("redis-replica", "on_redis.replica", False, "a replica that lags is promoted"),
    ("redis-cut", "on_redis.cut", False, "connections cut in the middle of requests and answers"),
    ("redis-slow", "on_redis.slow", False, "Redis answers late, thinly, in pieces, or not at all"),
    ("redis-away", "on_redis.away", False,
     "Redis is away: partitions hold, /ready says so after 30 s, and all goes on"),
    ("redis-cluster", "on_cluster.six_nodes", False,
     "six nodes: slots migrated and masters killed under load"),
    ("redis-maxmemory", "on_redis.maxmemory", False, "Redis is out of memory: OOM"),
    ("redis-readonly", "on_redis.readonly", False, "Redis takes no writes: READONLY"),
    ("redis-disk", "on_redis.disk_full", False, "Redis' disk is full: MISCONF"),
]


class Timeout(BaseException):
    """A scenario takes too long, or the whole run is to end."""


def run_one(name, broker, folder, options):
    """Prints one scenario's line; True, False, or None when skipped."""
    stands = []

    def new(**more):
        stands.append(stand.Stand(broker, os.path.join(folder, name), name, **more))
        return stands[-1]

    def late(*_):
        raise Timeout(f"longer than {SECONDS_MAX} s")
    began, passed, why = time.monotonic(), True, ""
    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS_MAX)
    try:
        _, place, _, _ = next(row for row in SCENARIOS if row[0] == name)
        module, function = place.split(".")
        getattr(importlib.import_module(module), function)(new, options)
    except trial.Skipped as reason:
        passed, why = None, str(reason)
    except (Exception, Timeout):        # pylint: disable=broad-except
        passed, why = False, traceback.format_exc(limit=4)
    finally:
        signal.alarm(0)
        for it in stands:
            it.close()
    word = {True: "ok", False: "FAIL", None: "skipped"}[passed]
    print(f"{word:7} {'system/' + name:44} {time.monotonic() - began:6.1f} s"
          f"{'  ' + why if passed is None else ''}", flush=True)
    if passed is False:
        print("        " + why.replace("\n", "\n        "), flush=True)
        logs = os.path.join(stand.ROOT, "tests/.cache/logs", f"system-{name}")
        os.makedirs(logs, exist_ok=True)
        for file in os.listdir(os.path.join(folder, name)):
            if file.endswith(".log"):
                shutil.copy(os.path.join(folder, name, file), logs)
        print(f"        … the instances' logs: {os.path.relpath(logs, stand.ROOT)}", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(prog="tests/system/run", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; default a short set")
    parser.add_argument("--all", action="store_true", help="all of them (forty minutes)")
    parser.add_argument("--list", action="store_true", help="names them; * = of the short set")
    parser.add_argument("--data", default=os.environ.get("PEAKLINE_DATA", os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "../../../shared/data")),
        help="folder of real event data")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic and the kills")
    parser.add_argument("--keep", action="store_true", help="leave the directories")
    options = parser.parse_args()
    options.data = os.path.abspath(options.data)
    if options.list:
        for name, _, short, what in SCENARIOS:
            print(f"{name:16} {'*' if short else ' '} {what}")
        return 0
    unknown = [name for name in options.names if name not in [row[0] for row in SCENARIOS]]
    if unknown:
        parser.error(f"no scenario {unknown[0]}; --list names them")

    def end(*_):
        raise Timeout("ended from outside")
    signal.signal(signal.SIGTERM, end)
    load_parts()
    folder = tempfile.mkdtemp(prefix="peakline-")
    broker, tally = None, {True: 0, False: 0, None: 0}
    try:
        broker = stand.Broker(folder)
        for name in options.names or [row[0] for row in SCENARIOS if row[2] or options.all]:
            tally[run_one(name, broker, folder, options)] += 1
    finally:
        if broker is not None:
            broker.stop()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    skipped = f", {tally[None]} skipped" if tally[None] else ""
    print(f"{tally[True]} passed, {tally[False]} failed{skipped}")
    return 1 if tally[False] or not tally[True] else 0


def load_parts():
    """What needs packages that --list does not."""
    global stand, trial       # pylint: disable=global-statement
    import stand
    import trial


if __name__ == "__main__":
    sys.exit(main())
