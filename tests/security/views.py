"""views - Redis behind sentinels, and Redis with TLS: under load, with the oracle's last word."""
import os
import subprocess
import time
import types

import redis
import redis.sentinel

import mistakes
import stand
from tally import check
from trial import Trial

MASTER = "peakline-view"
SECONDS, FAILOVERS = 25, 2


class Sentinels:
    """A master, its replica, and a sentinel with a password of its own; another is away."""

    def __init__(self, it, password):
        self.it, self.password = it, password
        it.redis_stop()
        self.folders = [os.path.join(it.folder, f"server{i}") for i in range(2)]
        self.servers = [self.start(0)]
        self.servers.append(self.start(1, "--replicaof", "127.0.0.1", self.servers[0]["port"]))
        self.port = stand.free_port()
        self.process = self.watch()
        it.at_end.append(self.stop)
        it.redis_folder = self.folders[0]
        it.redis_address = f"127.0.0.1:1,127.0.0.1:{self.port}"
        place = redis.sentinel.Sentinel([("127.0.0.1", self.port)], socket_timeout=5,
                                        sentinel_kwargs={"password": password})
        it.redis = place.master_for(MASTER, socket_timeout=5)
        self.wait()

    def start(self, i, *words):
        return stand.service("redis", "start", self.folders[i], "--",
                             "--repl-diskless-sync-delay", "0", *words)

    def watch(self):
        """The sentinel, which rewrites its configuration as it learns."""
        file = os.path.join(self.it.folder, "sentinel.conf")
        with open(file, "w", encoding="utf-8") as out:
            out.write("\n".join([
                f"port {self.port}", "bind 127.0.0.1", f"dir {self.it.folder}",
                f"logfile {file}.log", f"requirepass {self.password}",
                f"sentinel monitor {MASTER} 127.0.0.1 {self.servers[0]['port']} 1",
                f"sentinel down-after-milliseconds {MASTER} 1000",
                f"sentinel failover-timeout {MASTER} 3000"]) + "\n")
        return subprocess.Popen(
            [os.environ.get("REDIS_SERVER", "redis-server"), file, "--sentinel"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait(20)
        stand.service("redis", "stop", self.folders[1])

    def role(self, i):
        try:
            return redis.Redis(port=int(self.servers[i]["port"]), socket_timeout=5) \
                .info("replication")
        except redis.RedisError:
            return {"role": "away"}

    def known(self):
        """The master, as the sentinel knows it."""
        try:
            return redis.Redis(port=self.port, password=self.password, socket_timeout=5) \
                .sentinel_master(MASTER)
        except redis.RedisError:
            return {}

    def wait(self):
        """One master, whose replica is up to date, and the sentinel knows both."""
        def whole():
            roles = [self.role(i) for i in range(2)]
            return self.known().get("num-slaves") == 1 and sorted(
                r["role"] for r in roles) == ["master", "slave"] and all(
                r.get("master_link_status", "up") == "up" for r in roles)
        stand.until("a master and its replica", 60, whole, 0.2)

    def fail_over(self):
        """The master is killed; it comes back, empty, when the other is chosen, and follows."""
        ports = [int(server["port"]) for server in self.servers]
        dead = ports.index(self.known()["port"])
        os.kill(int(self.servers[dead]["pid"]), 9)
        stand.until("another master", 60,
                    lambda: self.known().get("port") == ports[1 - dead], 0.1)
        self.servers[dead] = self.start(dead)


def trial_of(place, name, settings, prepare):
    """Scans flow; the Kafka is the secured one's plain listener, the Redis what `prepare` makes."""
    def new(partitions):
        return stand.Stand(place.broker, os.path.join(place.folder, name), name, partitions)
    return Trial(new, types.SimpleNamespace(seed=7), f"by-{name}", parcels=1200, seconds=SECONDS,
                 settings=settings, prepare=prepare)


def end(trial):
    """Reads the rest, asks over HTTP, stops, judges."""
    instance = trial.instances["a"]
    trial.producing.finish()
    instance.finish()
    check("number" in instance.get("/v1/parcels/T7-1"), "HTTP does not reach Redis")
    trial.finish()


def sentinel(place):
    """redis.mode sentinel: masters killed under load, and the oracle finds nothing amiss"""
    made = []
    trial = trial_of(place, "sentinel",
                     {"redis.mode": "sentinel", "redis.sentinel.master": MASTER,
                      "redis.timeout": "3s", "redis.sentinel.password": place.secret("sentinel")},
                     lambda it: made.append(Sentinels(it, place.planted["sentinel"])))
    try:
        trial.start("a")
        trial.load()
        for _ in range(FAILOVERS):
            time.sleep(1)
            check(trial.loading(), "the load ended before the fail-over: nothing was shown")
            with trial.fault("master killed"):
                made[0].fail_over()
            trial.moved()
            made[0].wait()
        end(trial)
        status, said = mistakes.peakline_check(
            "--connect", *trial.it.words(trial.group, {**trial.settings,
                                                       "redis.sentinel.master": "other"}))
        check(status == 69 and "it knows no master other" in mistakes.complaints(said), said[-500:])
    finally:
        trial.it.close()


def tls_here():
    """Was the program built with TLS to Redis?"""
    done = subprocess.run(["ldd", stand.PEAKLINE], capture_output=True, text=True, check=True)
    return "hiredis_ssl" in done.stdout


def tls(place):
    """redis.tls: verified, and by certificate; in a build without it refused with its reason"""
    ca = os.path.join(place.tls, "ca.pem")
    settings = {"redis.tls.enabled": "true", "redis.tls.ca": ca,
                "redis.tls.certificate": os.path.join(place.tls, "peakline.pem"),
                "redis.tls.key": os.path.join(place.tls, "peakline.key")}
    words = [f"--set={path}={value}" for path, value in settings.items()]
    if not tls_here():
        status, said = mistakes.peakline_check(*words)
        check(status == 78 and "redis.tls.enabled: found true, accepted is false" in said
              and "hiredis_ssl" in said, f"exit {status}: {said[-300:]}")
        return
    status, said = mistakes.peakline_check(*words, "--set=redis.tls.ca=/nowhere.pem")
    check(status == 78 and "redis.tls.ca: found \"/nowhere.pem\"" in said, said[-300:])

    def secure(it):
        port = stand.free_port()
        it.redis_stop()
        it.redis_start("--", "--tls-port", str(port), "--tls-auth-clients", "yes",
                       "--tls-cert-file", f"{place.tls}/broker.pem",
                       "--tls-key-file", f"{place.tls}/broker.key", "--tls-ca-cert-file", ca)
        it.redis_address = f"127.0.0.1:{port}"
    trial = trial_of(place, "tls", settings, secure)
    try:
        trial.start("a")
        trial.load()
        for _ in range(2):
            time.sleep(3)
            with trial.fault("connections cut"):
                trial.it.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            trial.moved()
        end(trial)
        for change, wanted in (({"redis.tls.name": "other"}, "certificate verify failed"),
                               ({"redis.tls.ca": ""}, "certificate verify failed"),
                               ({"redis.tls.enabled": "false"}, "redis")):
            status, said = mistakes.peakline_check(
                "--connect", *trial.it.words(trial.group, {**settings, **change}))
            check(status == 69 and wanted in mistakes.complaints(said), f"{change}: {said[-500:]}")
    finally:
        trial.it.close()
