"""on_partitions - scenarios in which the topic itself changes: its partitions, its records."""
import random
import subprocess
import time

from confluent_kafka import TopicPartition

import oracle
import proxy
import stand
import traffic
from trial import Trial, check, finish, judged


def refused(trial, text, partitions):
    """An instance starts and all those partitions are stopped, with these words."""
    it = trial.it
    before = it.offsets(trial.group)
    trial.start("a")
    instance = trial.instances["a"]

    def said():
        return instance.running() and instance.answers() and \
            instance.get("/partitions").count(text) >= partitions
    stand.until(f"refused: {text}", 60, said, 0.5)
    check(not instance.ready(), "/ready is 200 though partitions have stopped")
    check(instance.says(text), f"the log does not say: {text}")
    stops = instance.metrics().get("peakline_partition_stops_total", 0)
    check(stops >= partitions, f"{stops} stops are counted, not {partitions}")
    time.sleep(2)
    check(it.offsets(trial.group) == before, "scans were taken though it refused")
    return instance


def processed(trial, messages):
    """An instance takes these, and stops when all is done."""
    trial.start("a")
    trial.it.produce(messages)
    finish(trial.instances["a"])
    check(trial.instances["a"].stop() == 0, "SIGTERM: the exit status is not 0")


def partitions_added(new, options):
    trial = Trial(new, options, "partitions", parcels=1200, seconds=15)
    it = trial.it
    trial.start("a")
    instance = trial.instances["a"]
    trial.load()
    trial.producing.finish()
    finish(instance)
    with trial.fault("partitions added"):
        it.add_partitions(6)
        before = it.offsets(trial.group)
        stand.until("the new count noticed", 60, lambda: "reshard" in instance.get("/partitions"),
                    0.5)
        check(not instance.ready(), "/ready is 200 though every partition has stopped")
        it.produce(traffic.Traffic(options.seed + 1, 50).messages())
        time.sleep(3)
        check(it.offsets(trial.group) == before, "scans were taken though state would be split")
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    trial.watch.finish()
    time.sleep(stand.SESSION_MS / 1000 + 1)     # a static member would be given its old four
    it.partitions = 6           # and whoever starts now refuses too, the new ones as well
    instance = refused(trial, "run `peakline reshard`", 6)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    print(f"six partitions instead of four: refused, twice; offsets stay at {before}")


def reshard(it, group, settings, kill_at=None):
    """`peakline reshard`: its whole output; or None, killed -9 when its plan was at that step."""
    run = subprocess.Popen([stand.PEAKLINE, "reshard", *it.words(group, settings)], text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)

    def there():
        return run.poll() is not None or \
            it.redis.hget(it.key(group, 0, "reshard"), "step") == kill_at.encode()
    if kill_at is not None:
        stand.until(f"reshard {kill_at}", 60, there, 0.001)
        time.sleep(random.uniform(0, 0.04 if kill_at == "switching" else 0.3))
        run.kill()
    said, _ = run.communicate(timeout=120)
    check(run.returncode == 0 or kill_at is not None, f"reshard: exit {run.returncode}:\n{said}")
    return said if run.returncode == 0 else None


def resharded(trial, count, settings, kills=0):
    """From one count to the next; killed so often at each step of its way."""
    it, group = trial.it, trial.group
    before, killed = it.marks(group), {}
    link = proxy.redis_link(it) if kills else None
    for step in [s for s in ("sending", "copying", "switching") for _ in range(kills)]:
        with link.toxic("latency", "downstream", latency=2):   # so that there is a way to be on
            if reshard(it, group, settings, step) is None:
                killed[step] = killed.get(step, 0) + 1
    print(reshard(it, group, settings).strip())
    it.redis_address = f"unix:{it.redis_socket}"
    check("already" in reshard(it, group, settings), "a second reshard finds something to do")
    it.resharded(group, count, before)
    left = it.redis.keys("*new:*") + it.redis.keys("*:reshard")
    check(not left, f"reshard leaves behind {left[:4]}")
    if kills:
        print(f"reshard killed -9 at its steps: {killed}")
        check(len(killed) == 3, "not killed at every step")


def reshard_all(new, options):
    """4 → 6 partitions by accident, with a backlog under both counts; then 6 → 12 in order;
    then other buckets."""
    trial = Trial(new, options, "reshard", parcels=2000, broken=0.01)
    it, group = trial.it, trial.group
    quarter = len(trial.messages) // 5
    parts = [trial.messages[i * quarter:(i + 1) * quarter] for i in range(5)]
    processed(trial, parts[0])
    it.produce(parts[1])            # nobody reads it before the count changes
    it.add_partitions(6)
    it.produce(parts[2])            # and these are at home elsewhere already
    it.partitions = 6
    instance = refused(trial, "run `peakline reshard`", 4)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    it.partitions = 4
    resharded(trial, 6, {"redis.buckets": 256}, kills=2)
    processed(trial, parts[3])
    judged(it, group)
    it.add_partitions(12)
    resharded(trial, 12, {"redis.buckets": 256})
    processed(trial, parts[4])
    judged(it, group)
    resharded(trial, 12, {"redis.buckets": 64})
    processed(trial, traffic.Traffic(options.seed + 1, 200).messages())
    trial.watch.finish()
    judge = judged(it, group)
    repeats, _ = judge.repeats()
    print(f"numbers: 3 reshards; lost {judge.lost}, invented {judge.invented}, repeats {repeats}")
    check(repeats == 0, f"{repeats} outputs were sent twice, though every stop was clean")


def gap(new, options):
    """Retention passed while nobody ran: the partition stops and names the offsets; what is
    accepted as lost is counted; the others go on."""
    trial = Trial(new, options, "gap", parcels=2000, broken=0.01)
    it, group = trial.it, trial.group
    third = len(trial.messages) // 3
    processed(trial, trial.messages[:third])
    stored = it.offsets(group)
    it.produce(trial.messages[third:2 * third])
    whole = oracle.read_topic(it.broker.address, it.scans)
    gone = {0: stored[0] + 40, 1: stored[1] + 7, 2: stored[2]}
    it.archive = {p: [m for m in whole[p] if m.offset < stored[p]] for p in gone}
    for future in it.broker.admin.delete_records(
            [TopicPartition(it.scans, p, offset) for p, offset in gone.items()]).values():
        future.result(30)
    trial.start("a")
    instance = trial.instances["a"]
    stand.until("the gap named", 60, lambda: instance.running() and instance.answers() and
                instance.get("/partitions").count("records are gone") == 2, 0.5)
    said = instance.get("/partitions")
    for p in (0, 1):
        text = f"stored offset {stored[p]} but the log begins at {gone[p]}: " \
               f"{gone[p] - stored[p]} records are gone"
        check(text in said and instance.says(text), f"not said: {text}\n{said}")
    check(not instance.ready(), "/ready is 200 though two partitions have stopped")
    check(instance.metrics()["peakline_partition_stops_total"] == 2, "not two stops counted")
    ends = it.ends()
    stand.until("the others read to their ends", 60, lambda: it.offsets(group)[2:] == ends[2:])
    check(it.offsets(group)[:2] == stored[:2], "the gap was passed over in silence")
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    trial.settings = {"kafka.accept_gap": "true"}
    trial.start("a")
    instance = trial.instances["a"]
    it.produce(trial.messages[2 * third:])
    finish(instance)
    counted = instance.metrics()["peakline_gap_records_total"]
    check(counted == 47, f"47 records are gone, {counted} are counted")
    check(instance.says(f"the gap is accepted, reading goes on at {gone[0]}"), "not in the log")
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    trial.watch.finish()
    judge = judged(it, group)
    print(f"numbers: 47 records gone from 2 partitions: named, counted, accepted; lost else "
          f"{judge.lost}, invented {judge.invented}")


def recreated(new, options):
    """The topic was deleted and made anew: with fewer records than were read, then with more."""
    trial = Trial(new, options, "recreated", parcels=1200)
    it, group = trial.it, trial.group
    processed(trial, trial.messages)
    stored = it.offsets(group)

    def anew():
        for future in it.broker.admin.delete_topics([it.scans]).values():
            future.result(30)
        stand.until("the topic gone", 30, lambda: it.scans not in
                    it.broker.admin.list_topics(timeout=10).topics, 0.2)
        it.broker.create({it.scans: (it.partitions, {"max.message.bytes": "2000000"})})
    anew()
    other = list(traffic.Traffic(options.seed + 1, 3000).messages())
    it.produce(other[:2000])
    instance = refused(trial, "it was cut or made anew", it.partitions)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    it.produce(other[2000:])
    check(all(end > at for end, at in zip(it.ends(), stored)), "too few records")
    instance = refused(trial, "this is another topic of the same name", it.partitions)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    trial.watch.finish()
    check(it.offsets(group) == stored, "something was stored")
    print("numbers: a topic made anew, shorter and longer: refused by all partitions, twice")
