"""on_process - scenarios in which processes end, stop, or run out of something."""
import random
import resource
import signal
import time

import oracle
import stand
from trial import Trial, check

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
    trial = Trial(new, options, "drain", parcels=2000 if seconds < 30 else 2500, seconds=seconds)
    trial.start("a")
    trial.load()
    stops = 0
    while trial.loading() or stops < stops_min:
        time.sleep(1.5)
        with trial.fault("SIGTERM"):
            status = trial.instances["a"].stop()
            check(status == 0, f"SIGTERM: exit {status}\n{trial.instances['a'].tail()}")
            trial.start("a")
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
    while trial.loading() or ended < 3:
        instance = trial.instances["a"]
        time.sleep(2)
        with trial.fault("no more memory"):
            size = int(open(f"/proc/{instance.process.pid}/statm", "rb").read().split()[0])
            limit = size * resource.getpagesize()
            resource.prlimit(instance.process.pid, resource.RLIMIT_AS, (limit, limit))
            end = time.monotonic() + 8
            while time.monotonic() < end and instance.process.poll() is None:
                time.sleep(0.1)
            ended += instance.process.returncode is not None
            instance.kill()
            trial.start("a")
        trial.moved()
    print(f"ended {ended} times for want of memory")
    trial.finish()
