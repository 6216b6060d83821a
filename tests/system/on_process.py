"""on_process - scenarios in which processes end, stop, or run out of something."""
import json
import os
import random
import resource
import signal
import time

import oracle
import stand
import traffic
from trial import Trial, check, finish

# Short checkpoints where many kills are to fall into them.
BRISK = {"checkpoint.interval": "200ms", "runners.workers": 2}


def kill9(new, options, kills_min=5, seconds=30):
    rng = random.Random(options.seed)
    trial = Trial(new, options, "kill9", seconds=seconds, settings=BRISK)
    trial.start("a", "b")
    trial.load()
    kills = 0
    while trial.loading() or kills < kills_min:
        time.sleep(rng.uniform(0.2, 2.2) if seconds > 30 else rng.uniform(0.5, 4))
        label = rng.choice("ab")
        with trial.fault("kill -9"):
            trial.instances[label].kill()
            trial.start(label)
        kills += 1
    trial.finish()


def kill9_loop(new, options):
    kill9(new, options, kills_min=50, seconds=75)


def both_killed(new, options):
    rng = random.Random(options.seed)
    trial = Trial(new, options, "both", settings=BRISK)
    trial.start("a", "b")
    trial.load()
    while trial.loading():
        time.sleep(rng.uniform(1, 5))
        with trial.fault("both killed"):
            for label in "ab":
                trial.instances[label].kill()
            trial.start("a", "b")
        trial.moved()
    trial.finish()


def repeated(judge):
    """Outputs sent twice, dead letters too."""
    repeats, _ = judge.repeats()
    topic = oracle.read_topic(judge.brokers, judge.outputs["dead_letters"])
    seen = [(dict(m.headers)["source-partition"], dict(m.headers)["source-offset"])
            for messages in topic.values() for m in messages]
    check(seen and judge.told, "no dead letter, or nothing told at all")
    return repeats + len(seen) - len(set(seen))


def drain(new, options, seconds=12, stops_min=3):
    trial = Trial(new, options, "drain", parcels=2000 if seconds < 30 else 2500, seconds=seconds,
                  broken=0.02)
    trial.start("a")
    trial.load()
    stops = 0
    while trial.loading() or stops < stops_min:
        time.sleep(1.5)
        with trial.fault("SIGTERM"):
            status = trial.instances["a"].stop()
            check(status == 0, f"SIGTERM: exit {status}\n{trial.instances['a'].tail()}")
            trial.start("a")
            stand.until("started", 20, trial.instances["a"].answers)
        trial.moved()
        stops += 1
    check(trial.instances["a"].stop() == 0, "SIGTERM: the exit status is not 0")
    for moment in (0.05, 0.2, 0.5):     # in the middle of starting
        with trial.fault("SIGTERM while starting"):
            trial.start("a")
            time.sleep(moment)
            status = trial.instances["a"].stop()
            check(status in (0, -signal.SIGTERM), f"SIGTERM after {moment} s: exit {status}")
    trial.start("a")
    repeats = repeated(trial.finish())
    check(repeats == 0, f"{repeats} outputs were sent twice, though every stop was clean")


def sigterm_loop(new, options):
    drain(new, options, seconds=60, stops_min=12)


def sigstop(new, options):
    trial = Trial(new, options, "sigstop", seconds=70)
    trial.start("a", "b")
    trial.load()
    rounds = 0
    while trial.loading() or rounds < 2:
        asleep = trial.instances["ab"[rounds % 2]]
        trial.moved()
        with trial.fault("SIGSTOP beyond the session"):
            asleep.process.send_signal(signal.SIGSTOP)
            time.sleep(stand.SESSION_MS / 1000 + 1)
        taken = trial.it.offsets(trial.group)
        stand.until("the other took all over", 30, lambda: not trial.producing.is_alive() or all(
            now > before for now, before in zip(trial.it.offsets(trial.group), taken)), 0.2)
        with trial.fault("SIGCONT"):
            asleep.process.send_signal(signal.SIGCONT)
        time.sleep(3)
        rounds += 1
    trial.finish()


class Reference:
    """A configuration file and a calendar, written anew with this or that in them."""

    def __init__(self, folder):
        self.config = os.path.join(folder, "peakline.yaml")
        self.calendar = os.path.join(folder, "calendars.csv")

    def write(self, damaged=True, holidays=1, threshold="48h", kind="holiday"):
        with open(self.calendar, "w", encoding="utf-8") as file:
            file.write("country,day,kind\nCN,Sun,weekend\n" + "".join(
                f"CN,2026-01-{day:02},{kind}\n" for day in range(1, 1 + holidays)))
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"reference: {{calendars: {self.calendar}}}\n"
                       f"detectors:\n  damaged: {{enabled: {str(damaged).lower()}}}\n"
                       f"  uncollected: {{warning_after: {threshold}}}\n")


def reloaded(trial, counter):
    """SIGHUP, and the wait for this counter to have moved, and no other."""
    instance, names = trial.instances["a"], ("reloads_total", "reloads_refused_total")

    def counts():
        metrics = instance.metrics()
        return [int(metrics[f"peakline_{name}"]) for name in names]
    before = counts()
    with trial.fault("SIGHUP"):
        instance.hang_up()
        stand.until("a reload", 20, lambda: counts() != before)
    moved = [now - then for now, then in zip(counts(), before)]
    check(moved == [name == counter for name in names], f"{counter}: {moved}\n{instance.tail()}")


def damaged_alerts(trial, number):
    """How many are open of a new parcel that a scan calls damaged."""
    scan = {"parcel": number, "code": "DAMAGED", "facility": "HGH",
            "time": traffic.rfc3339(int(time.time()))}
    trial.it.produce([traffic.Message(number.encode(), json.dumps(scan).encode())])
    finish(trial.instances["a"])
    answer = trial.instances["a"].get(f"/v1/alerts?type=damaged&parcel={number}")
    return json.loads(answer)["matching"]


def reload(new, options):
    trial = Trial(new, options, "reload", seconds=25, settings=dict(BRISK))
    files, rng = Reference(trial.it.folder), random.Random(options.seed)
    trial.settings["config"] = files.config
    files.write()
    trial.start("a")
    trial.load()
    rounds = 0
    while trial.loading() or rounds < 6:
        rounds += 1
        files.write(damaged=rng.random() < 0.5, holidays=rng.randrange(1, 28))
        if rounds % 3 == 1:
            files.write(damaged=False, kind="feast")
        elif rounds % 3 == 2:
            files.write(damaged=False, threshold="soon")
        reloaded(trial, "reloads_refused_total" if rounds % 3 else "reloads_total")
        time.sleep(rng.uniform(0, 0.3))
    trial.producing.finish()
    for number, damaged, kind, opened in (("RELOAD-1", False, "holiday", 0),
                                          ("RELOAD-2", True, "holiday", 1),
                                          ("RELOAD-3", False, "feast", 1)):
        files.write(damaged=damaged, kind=kind)
        reloaded(trial, "reloads_total" if kind == "holiday" else "reloads_refused_total")
        found = damaged_alerts(trial, number)
        check(found == opened, f"{number}: {found} alerts, expected {opened}")
    with open(trial.instances["a"].log, encoding="utf-8") as file:
        check("calendars.csv:3: kind: found \"feast\", accepted are" in file.read(),
              "the mistake is not named in the log")
    trial.finish()


def rolling(new, options):
    trial = Trial(new, options, "rolling", seconds=60)
    trial.start("a", "b")
    trial.load()
    rounds = 0
    while trial.loading():
        label = "ab"[rounds % 2]
        time.sleep(4)
        trial.moved()
        with trial.fault("restart"):
            status = trial.instances[label].stop()
            check(status == 0, f"SIGTERM: exit {status}\n{trial.instances[label].tail()}")
            trial.start(label)
        rounds += 1
    judge = trial.finish()
    quiet_s = trial.watch.quiet_s(faults_too=True)
    print(f"no partition without progress for more than {quiet_s:.1f} s, restarts included")
    check(quiet_s <= 5, f"{quiet_s:.1f} s without progress in a rolling restart")
    repeats = repeated(judge)
    check(repeats == 0, f"{repeats} outputs were sent twice, though every stop was clean")


def out_of_memory(new, options):
    trial = Trial(new, options, "memory", parcels=4000)
    trial.start("a")
    trial.load()
    ended = 0
    while trial.loading():
        instance = trial.instances["a"]
        time.sleep(2)
        with trial.fault("no more memory"):
            size = int(open(f"/proc/{instance.process.pid}/statm", "rb").read().split()[0])
            limit = size * resource.getpagesize() // 2
            resource.prlimit(instance.process.pid, resource.RLIMIT_AS, (limit, limit))
            end = time.monotonic() + 8
            while time.monotonic() < end and instance.process.poll() is None:
                time.sleep(0.1)
            ended += instance.process.returncode is not None
            instance.kill()
            trial.start("a")
        trial.moved()
    trial.finish()
    print(f"ended {ended} times for want of memory")
    check(ended > 0, "never came to want memory")
