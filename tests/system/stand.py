"""stand - what a scenario stands on: a real broker, a real Redis, and Peakline between them."""
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

import record

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEAKLINE = os.path.abspath(os.environ.get(
    "PEAKLINE", os.path.join(ROOT, "build", "peakline")))
PEAKLOAD = os.path.abspath(os.environ.get(
    "PEAKLOAD", os.path.join(ROOT, "build", "peakload")))
# A member that died is missed after so long; the product's default is for real networks.
SESSION_MS = 6000
# A client's own remarks: errors come as errors.
QUIET = {"log_level": 2}


class Failed(Exception):
    """What a scenario found wrong."""


def service(name, *words, timeout=120):
    """Runs deploy/services/NAME; returns what it printed as {key: value}."""
    run = subprocess.run([os.path.join(ROOT, "deploy/services", name), *words], text=True,
                         capture_output=True, timeout=timeout, check=False,
                         stdin=subprocess.DEVNULL)
    if run.returncode != 0:
        raise Failed(f"deploy/services/{name} {words[0]}: {run.stderr.strip()[-500:]}")
    return dict(word.split("=", 1) for word in run.stdout.split())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, seconds, ready, every=0.05):
    """Waits until ready() is true; Failed after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = ready()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(every)


class Broker:
    """One Kafka for all scenarios of a run: each has topics and groups of its own."""

    def __init__(self, folder, *words):
        """words: for deploy/services/kafka"""
        self.folder, self.words = folder, words
        self.start()
        self.admin = AdminClient({**QUIET, "bootstrap.servers": self.address})

    def start(self):
        """Also again after kill() or stop(): with the same data and ports."""
        started = service("kafka", "start", self.folder, *self.words)
        self.address, self.pid = started["broker"], int(started["pid"])
        self.sasl, self.mtls = started.get("sasl"), started.get("mtls")

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{self.pid}/fd"):
            time.sleep(0.05)

    def create(self, topics):
        """topics: {name: (partitions, settings)}"""
        new = [NewTopic(name, partitions, 1, config=settings)
               for name, (partitions, settings) in topics.items()]
        for future in self.admin.create_topics(new).values():
            future.result(30)

    def stop(self):
        service("kafka", "stop", self.folder)


class Stand:
    """One scenario's topics, Redis and instances."""

    def __init__(self, broker, folder, name, partitions=4):
        self.broker, self.folder, self.name = broker, folder, name
        self.partitions = partitions
        self.scans = f"{name}-scans"
        self.instances, self.groups = [], set()
        self.delivered = [0] * partitions   # of each partition, what the broker has taken
        self.at_end = []                    # what else close() has to do
        self.eras = []      # what was read under older counts: (count, {partition: (from, to)})
        self.goes_on_at = {}                # of each partition, since the last of them
        self.archive = {}                   # messages read that Kafka no longer has
        os.makedirs(folder, exist_ok=True)
        broker.create({self.scans: (partitions, {"max.message.bytes": "2000000"})})
        self.redis_start()
        self.redis_address = f"unix:{self.redis_socket}"    # as instances are told it

    def outputs(self, group):
        """{kind: topic}: each group has outputs of its own, so that two can be compared."""
        topics = {kind: f"{self.name}-{group}-{kind.replace('_', '-')}"
                  for kind in ("alerts", "etas", "dead_letters", "progress", "activity")}
        if group not in self.groups:
            compact = {"cleanup.policy": "compact"}
            self.broker.create({
                topics["alerts"]: (self.partitions, {}),
                topics["dead_letters"]: (2, {"max.message.bytes": "2000000"}),
                topics["etas"]: (self.partitions, compact), topics["progress"]: (1, compact),
                topics["activity"]: (4, {})})
            self.groups.add(group)
        return topics

    def redis_start(self, *words):
        """words: for deploy/services/redis; also again after redis_stop() or redis_kill()."""
        self.redis_at(self.folder, service("redis", "start", self.folder, *words))

    def redis_at(self, folder, started):
        """The view is there from now on: what deploy/services/redis printed of it."""
        self.redis_folder, self.redis_socket = folder, started["socket"]
        self.redis_pid, self.redis_port = int(started["pid"]), int(started["port"])
        self.redis = redis.Redis(unix_socket_path=self.redis_socket, socket_timeout=5)

    def redis_users(self, group, password):
        """Redis' users for a group, from the lines that deploy/redis/users.acl gives."""
        with open(os.path.join(ROOT, "deploy/redis/users.acl"), encoding="utf-8") as lines:
            for line in lines:
                words = line.replace("peakline:scans", f"{group}:{self.scans}") \
                    .replace(">PASSWORD", f">{password}").split()
                self.redis.execute_command("ACL", "SETUSER", *words[1:])

    def redis_stop(self):
        service("redis", "stop", self.redis_folder)

    def redis_kill(self):
        os.kill(self.redis_pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{self.redis_pid}/fd"):
            time.sleep(0.02)

    def close(self):
        for instance in self.instances:
            instance.kill()
        self.redis_stop()
        for work in reversed(self.at_end):
            work()

    # The log.

    def goes_on(self, partition):
        """From where the partition's log counts under the count there is now."""
        return self.goes_on_at.get(partition, 0), None

    def add_partitions(self, count):
        self.broker.admin.create_partitions([NewPartitions(self.scans, count)])[
            self.scans].result(30)
        until("the new partitions", 20, lambda: count == len(self.broker.admin.list_topics(
            self.scans, 10).topics[self.scans].partitions), 0.1)
        self.delivered += [0] * (count - self.partitions)

    def resharded(self, group, count, before):
        """The state is another count's now; `before`: its marks as they were."""
        self.eras.append((self.partitions, {
            p: (self.goes_on_at.get(p, 0), mark["offset"]) for p, mark in enumerate(before)}))
        self.partitions = count
        self.goes_on_at = {p: mark["offset"] for p, mark in enumerate(self.marks(group))}

    def produce(self, messages, pause=None):
        """Sends all and waits for all; `pause(count)` is called now and then."""
        refused = []

        def done(error, message):
            if error is not None:
                refused.append(error)
            elif message.partition() < len(self.delivered):
                self.delivered[message.partition()] = message.offset() + 1
        producer = Producer({**QUIET, "bootstrap.servers": self.broker.address,
                             "partitioner": "murmur2",
                             "enable.idempotence": True, "linger.ms": 5,
                             "message.max.bytes": 2000000, "compression.type": "lz4"})
        count = 0
        for count, message in enumerate(messages, 1):
            where = {} if message.partition is None else {"partition": message.partition}
            if message.at_ms is not None:
                where["timestamp"] = message.at_ms
            while True:
                try:
                    producer.produce(self.scans, key=message.key, value=message.value,
                                     headers=message.headers, on_delivery=done, **where)
                    break
                except BufferError:
                    producer.poll(0.1)
            if count % 200 == 0:
                producer.poll(0)
                if pause is not None:
                    pause(count)
        producer.flush(60)
        if refused:
            raise Failed(f"{len(refused)} messages not produced: {refused[0]}")
        return count

    def ends(self):
        """High watermark of each partition of the scan topic."""
        consumer = Consumer({**QUIET, "bootstrap.servers": self.broker.address,
                             "group.id": "ends"})
        try:
            return [consumer.get_watermark_offsets(TopicPartition(self.scans, p), timeout=20)[1]
                    for p in range(self.partitions)]
        finally:
            consumer.close()

    def peakload(self, *words, seconds=60):
        """build/peakload WORDS, on this scenario's topic."""
        run = subprocess.run([PEAKLOAD, *words], capture_output=True, text=True, timeout=seconds,
                             check=False, stdin=subprocess.DEVNULL)
        if run.returncode != 0:
            raise Failed(f"peakload {words[0]}: exit {run.returncode}: {run.stderr[-500:]}")
        return run.stdout

    # The view.

    def key(self, group, partition, suffix):
        return f"{{{group}:{self.scans}:{partition}}}:{suffix}"

    def marks(self, group):
        texts = [self.redis.get(self.key(group, p, "mark")) for p in range(self.partitions)]
        return [record.mark(text.decode()) if text else None for text in texts]

    def offsets(self, group):
        try:
            return [mark["offset"] if mark else 0 for mark in self.marks(group)]
        except (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ClusterError,
                redis.exceptions.RedisClusterException):
            return [-1] * self.partitions

    # The product.

    def words(self, group, settings):
        """The options of a command that is to know this stand."""
        config = {
            "kafka.brokers": self.broker.address, "kafka.group": group,
            "kafka.topics.scans": self.scans,
            **{f"kafka.topics.{kind}": topic for kind, topic in self.outputs(group).items()},
            "redis.address": self.redis_address, **settings}
        words = ["--config", config.pop("config")] if "config" in config else []
        return words + [word for path, value in config.items()
                        for word in ("--set", f"{path}={value}")]

    def start(self, group, label="a", **settings):
        instance = Instance(self, group, label, settings)
        self.instances.append(instance)
        return instance


class Instance:
    """One process of `peakline run`."""

    def __init__(self, stand, group, label, settings):
        self.stand, self.group = stand, group
        self.log = os.path.join(stand.folder, f"peakline-{group}-{label}.log")
        self.http = f"127.0.0.1:{free_port()}"
        words = stand.words(group, {
            "kafka.instance": f"{group}-{label}", "http.listen": self.http,
            "rdkafka.consumer.session.timeout.ms": SESSION_MS,
            "rdkafka.consumer.heartbeat.interval.ms": 500, "clock.idle_advance": "false",
            "log.level": "info", "log.form": "text", **settings})
        self.output = open(self.log, "ab")
        self.process = subprocess.Popen([PEAKLINE, "run", *words], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT)

    def says(self, text):
        """Is it in the log?"""
        with open(self.log, "rb") as file:
            return text.encode() in file.read()

    def tail(self, lines=15):
        with open(self.log, "rb") as file:
            return b"\n".join(file.read().splitlines()[-lines:]).decode("utf-8", "replace")

    def running(self):
        if self.process.poll() is None:
            return True
        raise Failed(f"peakline ended with {self.process.returncode}:\n{self.tail()}")

    def kill(self, how=signal.SIGKILL):
        """At once, as a power cut would."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            if how == signal.SIGKILL:
                self.process.wait(20)
        self.output.close()

    def stop(self, seconds=40):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"SIGTERM: not ended within {seconds} s:\n{self.tail()}") from None
        self.output.close()
        return status

    def hang_up(self):
        """SIGHUP: thresholds and reference data are to be read anew."""
        self.process.send_signal(signal.SIGHUP)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=5) as answer:
            return answer.read().decode()

    def body(self, path):
        """What it answers there, whatever the status."""
        try:
            return self.get(path)
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def ready(self):
        self.running()
        return self.answers("/ready")

    def answers(self, path="/live"):
        try:
            self.get(path)
            return True
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self):
        """{name: sum over its series}"""
        sums = {}
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                name = series.split("{")[0]
                sums[name] = sums.get(name, 0) + float(value)
        return sums

    def finish(self, seconds=60):
        """Waits until Redis holds all that is in the log, and the instance says it is ready."""
        until("ready", seconds, self.ready, 0.1)
        ends = self.stand.ends()

        def done():
            self.running()
            return self.stand.offsets(self.group) == ends
        try:
            until("the log read to its end", seconds, done, 0.1)
        except Failed as failed:
            raise Failed(f"{failed}: at {self.stand.offsets(self.group)} of {ends}\n"
                         f"{self.tail()}") from None
