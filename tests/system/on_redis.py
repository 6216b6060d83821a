"""on_redis - scenarios in which Redis, or the way to it, fails."""
import contextlib
import glob
import os
import random
import shutil
import subprocess
import time

import proxy
import stand
from trial import Skipped, Trial, check, finish


def restart(new, options):
    trial = Trial(new, options, "view", parcels=2000, seconds=20)
    it, group = trial.it, trial.group
    trial.start("a")
    trial.load()
    time.sleep(3)
    with trial.fault("FLUSHALL"):
        it.redis.flushall()
        stand.until("the view rebuilt after FLUSHALL", 30, lambda: sum(it.offsets(group)) > 1000)
    time.sleep(3)
    with trial.fault("restart without a disk"):
        it.redis_stop()
        time.sleep(2)
        it.redis_start()
        stand.until("the view rebuilt after a restart", 40, lambda: sum(it.offsets(group)) > 1000)
    trial.producing.finish()
    finish(trial.instances["a"])
    with trial.fault("FLUSHALL"):       # once more, with nothing left to read
        it.redis.flushall()
    trial.finish()


def aof(new, options):
    """Each restart finds a file without its last half second, as after a power cut."""
    rng = random.Random(options.seed)

    def with_aof(it):
        it.redis_stop()
        it.redis_start("--aof")
    trial = Trial(new, options, "aof", prepare=with_aof)
    trial.start("a")
    trial.load()
    while trial.loading():
        time.sleep(rng.uniform(3, 7))
        with trial.fault("power cut of Redis"):
            files = os.path.join(trial.it.redis_folder, "redis/appendonlydir/*.incr.aof")
            sizes = {path: os.path.getsize(path) for path in glob.glob(files)}
            time.sleep(rng.uniform(0.1, 0.9))
            trial.it.redis_kill()
            for path, size in sizes.items():
                os.truncate(path, min(size, os.path.getsize(path)))
            trial.it.redis_start("--aof")
        trial.moved()
    trial.finish()


def replica(new, options):
    """The replica that is promoted had heard nothing for a second; it has a replica too."""
    trial = Trial(new, options, "replica")
    it = trial.it
    link = proxy.redis_link(it)
    served, serial = it.folder, 0

    def stop(folder):
        stand.service("redis", "stop", folder)

    def follow():
        nonlocal serial
        serial += 1
        folder = os.path.join(it.folder, f"replica{serial}")
        way = proxy.Link(link.proxies, f"replication{serial}", f"127.0.0.1:{it.redis_port}")
        host, port = way.address.split(":")
        it.at_end.append(lambda: stop(folder))
        return folder, way, stand.service("redis", "start", folder, "--", "--replicaof", host,
                                          port)
    folder, way, started = follow()
    trial.start("a")
    trial.load()
    while trial.loading():
        time.sleep(4)
        with trial.fault("replica promoted"):
            way.up(False)
            time.sleep(1)
            link.up(False)
            stop(served)
            it.redis_at(folder, started)
            it.redis.replicaof("NO", "ONE")
            link.lead_to(f"127.0.0.1:{it.redis_port}")
            link.up(True)
            served = folder
        folder, way, started = follow()
        trial.moved()
    trial.finish()


def cut(new, options):
    """Connections end after so many bytes, in the middle of requests and of answers."""
    rng = random.Random(options.seed)
    trial = Trial(new, options, "cut", settings={"redis.timeout": "2s"})
    link = proxy.redis_link(trial.it)
    trial.start("a", "b")
    trial.load()
    while trial.loading():
        stream = rng.choice(("upstream", "downstream"))
        most = rng.choice((1000, 20000, 200000)) if stream == "upstream" else rng.choice((60, 900))
        with trial.fault(f"cut {stream}"):
            with link.toxic("limit_data", stream, bytes=rng.randrange(20, most)):
                time.sleep(rng.uniform(0.3, 2))
        trial.moved()
    trial.finish()


def slow(new, options):
    rng = random.Random(options.seed)
    trial = Trial(new, options, "slow")
    link = proxy.redis_link(trial.it)
    trial.start("a")
    trial.load()
    toxics = (("latency", dict(latency=400, jitter=300)), ("bandwidth", dict(rate=60)),
              ("slicer", dict(average_size=40, size_variation=30, delay=2000)),
              ("timeout", dict(timeout=0)))
    turn = 0
    while trial.loading():
        kind, attributes = toxics[turn % len(toxics)]
        with trial.fault(kind):
            with link.toxic(kind, rng.choice(("upstream", "downstream")), **attributes):
                time.sleep(rng.uniform(4, 8))
        trial.moved()
        turn += 1
    trial.finish()


def away(new, options):
    """Partitions fill up and hold; only then is the instance unready, and says why."""
    trial = Trial(new, options, "away", seconds=50, settings={"checkpoint.records_max": 300})
    link = proxy.redis_link(trial.it)
    trial.start("a")
    trial.load()
    instance = trial.instances["a"]
    with trial.fault("Redis away for 45 s"):
        link.up(False)
        time.sleep(15)
        check(instance.ready(), "unready after 15 s, though it can wait")
        stand.until("unready", 40, lambda: not instance.ready(), 0.5)
        said = instance.get("/partitions")
        check("Redis does not answer" in said, f"/partitions does not say why: {said[:400]}")
        time.sleep(5)
        link.up(True)
    trial.moved(seconds=20)
    trial.finish()


def refusals(trial, word):
    """What /partitions, /metrics and the log said of Redis' refusal."""
    def told():
        return word in trial.instances["a"].get("/partitions")
    stand.until(f"/partitions names {word}", 15, told, 0.2)
    with open(trial.instances["a"].log, "rb") as log:
        check(f"Redis refuses: {word}".encode() in log.read(), f"the log does not name {word}")
    check(trial.instances["a"].metrics().get("peakline_redis_refused_total", 0) > 0,
          "no metric counts what Redis refuses")


def refusing(new, options, group, word, prepare, refuse):
    """refuse(it) is a context in which Redis takes no write, and answers `word`."""
    trial = Trial(new, options, group, prepare=prepare)
    trial.start("a")
    trial.load()
    while trial.loading():
        time.sleep(3)
        with trial.fault(word):
            with refuse(trial.it):
                refusals(trial, word)
                time.sleep(3)
        trial.moved()
    stand.until("all clear", 15,
                lambda: word not in trial.instances["a"].get("/partitions"), 0.2)
    trial.finish()


@contextlib.contextmanager
def without_memory(it):
    it.redis.config_set("maxmemory", max(1000000, it.redis.info("memory")["used_memory"] // 2))
    yield
    it.redis.config_set("maxmemory", 0)


def maxmemory(new, options):
    refusing(new, options, "maxmemory", "OOM", None, without_memory)


@contextlib.contextmanager
def read_only(it):
    """As a primary is that was made a replica of one that is not there."""
    it.redis.replicaof("127.0.0.1", "1")
    yield
    it.redis.replicaof("NO", "ONE")


def readonly(new, options):
    refusing(new, options, "readonly", "READONLY", None, read_only)


@contextlib.contextmanager
def full_disk(it):
    filler = os.path.join(it.redis_folder, "redis/filler")
    with open(filler, "wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
            file.flush()
    yield
    os.unlink(filler)


def disk_full(new, options):
    """Redis' files lie on a disk of their own, which fills up."""
    def small_disk(it):
        it.redis_stop()
        home = os.path.join(it.folder, "redis")
        shutil.rmtree(home)
        os.makedirs(home)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", home],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            it.redis_start()
            raise Skipped(f"no file system of its own: {mounted.stderr.strip()}")
        it.at_end.append(lambda: subprocess.run(["umount", home], check=True))
        it.redis_start("--aof")
    refusing(new, options, "disk", "MISCONF", small_disk, full_disk)
