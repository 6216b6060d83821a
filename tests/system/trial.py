"""trial - a scenario's frame: load, faults, a watch on progress, and the numbers at the end."""
import contextlib
import threading
import time

import redis

import oracle
import stand
import traffic

QUIET_S_MAX = 10        # the longest time without progress once a fault has passed


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
    """Runs work() beside the scenario; finish() raises what it raised."""
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


class Watch(threading.Thread):
    """Looks at the marks ten times a second, and remembers when each moved."""

    def __init__(self, it, group):
        super().__init__(daemon=True)
        self.it, self.group = it, group
        self.samples, self.faults = [], []      # (time, offsets, ends); [name, from, to or None]
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.1):
            try:
                offsets = self.it.offsets(self.group)
            except (redis.RedisError, OSError):
                continue
            if -1 not in offsets:
                self.samples.append((time.monotonic(), offsets, list(self.it.delivered)))

    def finish(self):
        self.ended.set()
        self.join()

    def quiet_s(self, faults_too=False):
        """The longest time a partition had something to read and did not move, begun when the
        last fault had passed; or at any time."""
        return max(self.quiet_of(p, faults_too) for p in range(self.it.partitions))

    def quiet_of(self, partition, faults_too):
        longest, since, last = 0.0, None, None
        for at, offsets, ends in self.samples:
            faulty = [f for f in self.faults if f[1] <= at and (f[2] is None or at <= f[2])]
            if ends[partition] <= offsets[partition] or faulty and not faults_too:
                since = None
                continue
            healed = [f[2] for f in self.faults if f[2] is not None and f[2] <= at]
            if since is None or offsets[partition] != last:
                since = at
            if healed and not faults_too and max(healed) > since:
                since = max(healed)
            last = offsets[partition]
            longest = max(longest, at - since)
        return longest


class Trial:
    """Scans flow for `seconds`; whatever happens meanwhile, the oracle has the last word."""

    def __init__(self, new, options, group, *, parcels=2500, seconds=55, broken=0.003,
                 partitions=4, settings=None, prepare=None):
        self.it, self.group, self.seconds = new(partitions=partitions), group, seconds
        self.settings = settings or {}
        if prepare is not None:
            prepare(self.it)
        self.messages = list(traffic.Traffic(options.seed, parcels, broken=broken).messages())
        self.instances, self.producing, self.sent = {}, None, 0
        self.watch = Watch(self.it, group)

    # What goes on.

    def start(self, *labels):
        for label in labels:
            self.instances[label] = self.it.start(self.group, label, **self.settings)

    def load(self, pause=None):
        """Begins to send; true progress is waited for."""
        count = len(self.messages)
        self.producing = background(lambda: self.it.produce(
            self.messages, pause or paced(self.seconds, count)))
        stand.until("a first checkpoint", 60, lambda: sum(self.it.offsets(self.group)) > 500)

    def loading(self):
        for instance in self.instances.values():
            instance.running()
        return self.producing.is_alive()

    @contextlib.contextmanager
    def fault(self, name):
        """While it lasts nothing is asked of the product; from its end on the watch counts."""
        fault = [name, time.monotonic(), None]
        self.watch.faults.append(fault)
        yield
        fault[2] = time.monotonic()

    def moved(self, what="progress", seconds=60):
        """Waits until every partition with lag has moved on."""
        before = self.it.offsets(self.group)

        def all_moved():
            if self.producing is not None and self.producing.failure is not None:
                self.producing.finish()
            now, ends = self.it.offsets(self.group), self.it.delivered
            return -1 not in now and all(n != b or n >= e for n, b, e in zip(now, before, ends))
        stand.until(what, seconds, all_moved, 0.1)

    # The end.

    def finish(self, stop=True):
        """The rest is sent and read; instances stop; the oracle judges; numbers are printed."""
        self.producing.finish()
        for instance in self.instances.values():
            finish(instance)
            break
        self.watch.finish()
        for instance in self.instances.values() if stop else ():
            status = instance.stop()
            check(status == 0, f"SIGTERM: exit {status}\n{instance.tail()}")
        judge = judged(self.it, self.group)
        self.say(judge)
        check(self.watch.faults, "no fault happened")
        check(self.watch.quiet_s() <= QUIET_S_MAX,
              f"{self.watch.quiet_s():.1f} s without progress after a fault had passed")
        return judge

    def say(self, judge):
        repeats, reach_s = judge.repeats()
        names = {}
        for name, _, _ in self.watch.faults:
            names[name] = names.get(name, 0) + 1
        print("numbers: " + ", ".join(f"{count} × {name}" for name, count in names.items()) +
              f"; scans {len(self.messages)}, lost {judge.lost}, invented {judge.invented}, "
              f"repeats {repeats} (reaching back {reach_s:.1f} s), "
              f"longest without progress {self.watch.quiet_s():.1f} s")
