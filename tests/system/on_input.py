"""on_input - scenarios of what comes in, of Kafka itself, and of the oracle."""
import os
import random
import signal
import time

import oracle
import record
import stand
import traffic
from trial import Skipped, Trial, background, check, finish, judged

# For a replay of two years in seconds: nothing is forgotten, since when it could be depends on
# how soon the broker acknowledges a parcel's last alerts.
KEPT = {"retention.linger": "1000d", "retention.terminal": "1000d", "retention.idle": "1000d"}
YEAR_MS = 365 * 86400 * 1000


def poison(new, options):
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


def olist(new, options):
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


def burst(new, options):
    """Ten times the rate for a sixth of the time."""
    trial = Trial(new, options, "burst", parcels=5000)
    count = len(trial.messages)
    began = time.monotonic()

    def due_s(sent):        # the middle third of the messages goes ten times as fast
        share = sent / count
        slow = 60 / (2 / 3 + 1 / 30)
        return slow * (min(share, 1 / 3) + max(0, min(share, 2 / 3) - 1 / 3) / 10 +
                       max(0, share - 2 / 3))
    trial.start("a")
    with trial.fault("burst of ten times the rate"):
        trial.load(lambda sent: time.sleep(max(0, began + due_s(sent) - time.monotonic())))
        stand.until("the burst sent", 90, lambda: sum(trial.it.delivered) > count * 2 / 3, 0.2)
    trial.finish()


def future(new, options):
    """Their timestamps move no clock: no deadline fires that is not due."""
    trial = Trial(new, options, "future", parcels=1500, seconds=25, broken=0)
    rng = random.Random(options.seed)
    wild = rng.sample(range(len(trial.messages)), 30)
    for place in wild:
        ahead_ms = rng.choice((600000, YEAR_MS, 50 * YEAR_MS))
        trial.messages[place].at_ms = int(time.time() * 1000) + ahead_ms
    trial.start("a")
    with trial.fault(f"{len(wild)} records stamped in the future"):
        trial.load()
    trial.producing.finish()
    finish(trial.instances["a"])
    counted = trial.instances["a"].metrics().get("peakline_timestamps_ahead_total", 0)
    trial.finish()
    for mark in trial.it.marks(trial.group):
        check(mark["clock_ms"] <= time.time() * 1000 + 300000, f"the clock has moved: {mark}")
    check(counted >= len(wild), f"{counted} of {len(wild)} wild timestamps were counted")


def broker_restart(new, options):
    trial = Trial(new, options, "broker", seconds=70)
    broker = trial.it.broker
    trial.start("a", "b")
    trial.load()
    turn = 0
    while trial.loading():
        time.sleep(4)
        with trial.fault(("kill -9 of Kafka", "restart of Kafka")[turn % 2]):
            if turn % 2 == 0:
                broker.kill()
            else:
                broker.stop()
            time.sleep(2)
            broker.start()
            trial.moved("progress after the broker is back")
        turn += 1
    trial.finish()


def asleep(new, options):
    """No silent stall: a partition with lag that stands still for 30 s is not ready, and says
    where the work is stuck."""
    trial = Trial(new, options, "asleep", parcels=5000, settings={"checkpoint.records_max": 100})
    it = trial.it
    trial.producing = background(lambda: it.produce(trial.messages))
    trial.producing.finish()
    trial.start("a")
    instance = trial.instances["a"]
    stand.until("a first checkpoint", 60, lambda: sum(it.offsets(trial.group)) > 0, 0.005)
    with trial.fault("Kafka asleep for 45 s"):
        os.kill(it.broker.pid, signal.SIGSTOP)
        it.at_end.append(lambda: os.kill(it.broker.pid, signal.SIGCONT))
        before = it.offsets(trial.group)
        time.sleep(15)
        check(instance.ready(), "unready after 15 s, though it can wait")
        check(sum(it.offsets(trial.group)) < sum(it.delivered), "nothing is left to stall")
        stand.until("unready", 40, lambda: not instance.ready(), 0.5)
        said = instance.body("/ready")
        check("the group took every partition away and answers no more" in said,
              f"/ready does not say why: {said[:400]}")
        print(f"stands at {before} of {it.delivered}: not ready, and says why")
        time.sleep(5)
        os.kill(it.broker.pid, signal.SIGCONT)
        stand.until("ready again", 30, instance.ready, 0.1)
    trial.finish()
