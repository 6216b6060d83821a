"""scenarios - Peakline against a real Kafka and a real Redis, judged by the oracle.

    tests/system/run [--data DIR] [--seed N] [--keep] [NAME...]
    tests/system/run --list

Each scenario has its own topics, groups and Redis; the broker is shared.  --keep leaves the
directories (logs, Redis, Kafka) where they are and says so.
"""
import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

SECONDS_MAX = 150
# For a replay of two years in seconds: nothing is forgotten, since when it could be depends on
# how soon the broker acknowledges a parcel's last alerts.
KEPT = {"retention.linger": "1000d", "retention.terminal": "1000d", "retention.idle": "1000d"}


class Skipped(Exception):
    """Why a scenario cannot run here."""


def check(true, what):
    if not true:
        raise stand.Failed(what)


def judged(it, group, counters=None):
    """The oracle's comparison, printed; Failed when anything differs."""
    judge = oracle.Oracle(it, group)
    wrong = judge.compare(counters)
    print(judge.report())
    check(not wrong, f"{wrong} differences from the oracle")
    check(judge.compared["records"] > 0, "no record was compared")
    return judge


def finish(instance):
    """Waits until all that is in the log is in Redis, and every alert of it was sent."""
    it, group = instance.stand, instance.group

    def sent():
        instance.running()
        views = [oracle.View(it.redis, it.key(group, p, "")[:-1]) for p in range(it.partitions)]
        return not any(r.unsent for view in views for r in view.records.values())
    instance.finish()
    stand.until("every alert sent", 20, sent, 0.5)


def background(work):
    """Runs work() beside the scenario; join() raises what it raised."""
    class Worker(threading.Thread):
        failure = None

        def run(self):
            try:
                work()
            except Exception as error:      # pylint: disable=broad-except
                self.failure = error

        def finish(self):
            self.join()
            if self.failure is not None:
                raise self.failure
    worker = Worker(daemon=True)
    worker.start()
    return worker


def paced(seconds, count):
    """A pause for Stand.produce that spreads `count` messages over `seconds`."""
    began = time.monotonic()
    return lambda sent: time.sleep(max(0, began + seconds * sent / count - time.monotonic()))


# ── The scenarios ────────────────────────────────────────────────────────────

def poison(new, options):
    """1 % of the messages are no scans: each stands in the dead-letter topic, unchanged"""
    it = new(partitions=3)
    hard = list(traffic.Traffic(options.seed, 1500, broken=0.01).messages())
    rng = random.Random(options.seed)
    for kind in range(len(traffic.BROKEN)):     # every kind at least once
        key, value = traffic.BROKEN[kind](rng, int(time.time()))
        hard.insert(rng.randrange(len(hard)), traffic.Message(key, value, [("kind", b"%d" % kind)]))
    for wrong in rng.sample(range(len(hard)), 3):    # and away from home
        home = record.murmur2(hard[wrong].key) % 3
        hard[wrong].partition = (home + 1) % 3
    group = "poison"
    instance = it.start(group)
    it.produce(hard)
    it.peakload("generate", "--brokers", it.broker.address, "--topic", it.scans,
                "--rate", "20000", "--seconds", "5", "--broken", "0.01",
                "--seed", str(options.seed))
    finish(instance)
    counters = instance.metrics()
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    judge = judged(it, group, counters)
    check(sum(f.counts["dead"] for f in judge.folds.values()) > 1000, "too few broken messages")


def kill9(new, options):
    """two instances, killed -9 at random moments while scans flow"""
    it, rng = new(), random.Random(options.seed)
    messages = list(traffic.Traffic(options.seed, 3000, broken=0.003).messages())
    group = "kill9"
    settings = {"checkpoint.interval": "200ms", "runners.workers": 2}
    running = {label: it.start(group, label, **settings) for label in "ab"}
    producing = background(lambda: it.produce(messages, paced(30, len(messages))))
    kills = 0
    while producing.is_alive():
        time.sleep(rng.uniform(0.5, 4))
        label = rng.choice("ab")
        running[label].running()
        running[label].kill()
        kills += 1
        running[label] = it.start(group, label, **settings)
    producing.finish()
    finish(running["a"])
    for instance in running.values():
        check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    print(f"killed {kills} times")
    check(kills >= 5, "hardly killed at all")
    judged(it, group)


def redis_restart(new, options):
    """Redis loses everything, by FLUSHALL and by a restart: the view is rebuilt"""
    it = new()
    messages = list(traffic.Traffic(options.seed, 2000, broken=0.003).messages())
    group = "view"
    instance = it.start(group)
    producing = background(lambda: it.produce(messages, paced(20, len(messages))))
    stand.until("a first checkpoint", 30, lambda: sum(it.offsets(group)) > 1000)
    time.sleep(3)
    it.redis.flushall()
    stand.until("the view rebuilt after FLUSHALL", 30, lambda: sum(it.offsets(group)) > 1000)
    time.sleep(3)
    it.redis_stop()
    time.sleep(2)
    it.redis_start()
    stand.until("the view rebuilt after a restart", 40, lambda: sum(it.offsets(group)) > 1000)
    producing.finish()
    finish(instance)
    it.redis.flushall()         # once more, with nothing left to read
    finish(instance)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    judged(it, group)


def drain(new, options):
    """SIGTERM in full flow: exit 0, and whoever goes on repeats nothing"""
    it = new()
    messages = list(traffic.Traffic(options.seed, 2000, broken=0.003).messages())
    group = "drain"
    producing = background(lambda: it.produce(messages, paced(12, len(messages))))
    stops = 0
    while producing.is_alive() or stops < 3:
        instance = it.start(group)
        before = sum(it.offsets(group))
        stand.until("progress", 30, lambda: instance.running() and (
            sum(it.offsets(group)) > before or not producing.is_alive()))
        time.sleep(1.5)
        status = instance.stop()
        check(status == 0, f"SIGTERM: exit {status}\n{instance.tail()}")
        stops += 1
    producing.finish()
    for moment in (0.05, 0.2, 0.5):     # in the middle of starting
        instance = it.start(group)
        time.sleep(moment)
        status = instance.stop()
        check(status in (0, -signal.SIGTERM), f"SIGTERM after {moment} s: exit {status}")
    instance = it.start(group)
    finish(instance)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    judged(it, group)
    repeats = 0
    for kind, ident in (("alerts", lambda m: dict(m.headers)["ce_id"]),
                        ("dead_letters", lambda m: (dict(m.headers)["source-partition"],
                                                    dict(m.headers)["source-offset"]))):
        topic = oracle.read_topic(it.broker.address, it.outputs(group)[kind])
        seen = [ident(m) for messages in topic.values() for m in messages]
        repeats += len(seen) - len(set(seen))
        check(seen, f"no {kind} at all")
    print(f"stopped {stops + 1} times, {repeats} outputs repeated")
    check(repeats == 0, f"{repeats} outputs were sent twice, though every stop was clean")


def olist(new, options):
    """real orders on the event clock; a run killed -9 ends as an undisturbed one does"""
    events = os.path.join(options.data, "olist_events.csv")
    if not os.path.exists(events):
        raise Skipped(f"no data folder ({options.data}; --data DIR)")
    it = new()
    settings = {"clock.mode": "event", "checkpoint.interval": "100ms", **KEPT}
    killed = it.start("killed", **settings)
    mapping = os.path.join(stand.ROOT, "bench/peakload/mappings/olist.yaml")
    replay = background(lambda: it.peakload(
        "replay", events, "--mapping", mapping, "--brokers", it.broker.address,
        "--topic", it.scans, "--rate", "2500"))
    kills = 0
    while replay.is_alive():
        before = sum(it.offsets("killed"))
        stand.until("progress", 30, lambda: killed.running() and (
            sum(it.offsets("killed")) > before or not replay.is_alive()))
        time.sleep(0.7)
        killed.kill()
        kills += 1
        killed = it.start("killed", **settings)
    replay.finish()
    finish(killed)
    calm = it.start("calm", **settings)
    finish(calm)
    counters = calm.metrics()
    for instance in (killed, calm):
        check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    print(f"killed {kills} times")
    check(kills >= 2, "hardly killed at all")
    undisturbed = judged(it, "calm", counters)
    disturbed = judged(it, "killed")
    for what, one, other in (
            ("stored", oracle.state_of(undisturbed.views), oracle.state_of(disturbed.views)),
            ("alerts", oracle.alerts_of(undisturbed.changes), oracle.alerts_of(disturbed.changes))):
        count, examples = oracle.difference(one, other)
        print(f"compared {len(one):8} {what}, undisturbed and killed: {count} differ")
        check(count == 0, f"{what} differ:\n" + "\n".join(examples))


def oracle_itself(new, options):
    """the oracle against planted mistakes: it names each"""
    it = new(partitions=2)
    group = "canary"
    it.produce(traffic.Traffic(options.seed, 150, broken=0.02).messages())
    instance = it.start(group)
    finish(instance)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    judge = judged(it, group)
    view = judge.views[0]
    number = next(n for n, r in view.records.items() if r.history)
    bucket = f"{view.tag}:b{view.bucket[number]:08x}"
    packed = view.packed[number]
    mark = it.redis.get(f"{view.tag}:mark").decode().split(" ")

    def changed(at):
        return packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1:]

    def set_mark(place, by):
        words = list(mark)
        words[place] = str(int(words[place]) + by)
        it.redis.set(f"{view.tag}:mark", " ".join(words))
    planted = {
        "a record gone": lambda: it.redis.hdel(bucket, number),
        "a record too many": lambda: it.redis.hset(bucket, "X1", packed),
        "another life": lambda: it.redis.hset(bucket, number, changed(4)),
        "another entry": lambda: it.redis.hset(bucket, number, changed(
            48 + max(0, len(number) - 16) + 6)),
        "another time": lambda: it.redis.hset(bucket, number, changed(28)),
        "a mark behind": lambda: set_mark(6, -1), "a miscount": lambda: set_mark(8, 1),
        "an alert left open": lambda: it.redis.hset(
            f"{view.tag}:open", "f" * 16, '{"sequence":1,"type":"lost","parcel":"X"}'),
        "a name twice": lambda: it.redis.hset(f"{view.tag}:names", "p:1", view.names[2]),
    }
    for what, plant in planted.items():
        saved = {key: it.redis.dump(key) for key in it.redis.keys("*")}
        plant()
        wrong = oracle.Oracle(it, group).compare()
        print(f"planted {what}: {wrong} differences")
        check(wrong, f"the oracle did not see {what}")
        it.redis.flushall()
        for key, value in saved.items():
            it.redis.restore(key, 0, value)
    judged(it, group)


SCENARIOS = {"oracle": oracle_itself, "poison": poison, "kill9": kill9,
             "redis-restart": redis_restart, "drain": drain, "olist": olist}


# ── Running them ─────────────────────────────────────────────────────────────

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
        SCENARIOS[name](new, options)
    except Skipped as reason:
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
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; default all")
    parser.add_argument("--list", action="store_true", help="names them")
    parser.add_argument("--data", default=os.environ.get("PEAKLINE_DATA", os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "../../../shared/data")),
        help="folder of real event data")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic and the kills")
    parser.add_argument("--keep", action="store_true", help="leave the directories")
    options = parser.parse_args()
    options.data = os.path.abspath(options.data)
    if options.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:16} {scenario.__doc__}")
        return 0
    unknown = [name for name in options.names if name not in SCENARIOS]
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
        for name in options.names or SCENARIOS:
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
    global oracle, record, stand, traffic       # pylint: disable=global-statement
    import oracle
    import record
    import stand
    import traffic


if __name__ == "__main__":
    sys.exit(main())
