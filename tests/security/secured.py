"""secured - Peakline as least-privileged user of a Kafka and a Redis that let nobody else in."""
import concurrent.futures
import os
import re
import subprocess

from tally import check

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GROUP = "peakline"


class Place:
    """A secured Kafka with what deploy/kafka/acls.sh grants, and a Redis with its two users."""

    def __init__(self, folder):
        self.folder = folder
        self.broker = self.it = None

    def begin(self):
        import stand
        self.broker = stand.Broker(self.folder, "--secure")
        self.tls = os.path.join(self.folder, "kafka/tls")
        with open(os.path.join(self.tls, "password"), encoding="utf-8") as text:
            self.password = text.read().strip()
        self.it = stand.Stand(self.broker, os.path.join(self.folder, "secured"), "secured")
        self.topics = self.it.outputs(GROUP)
        self.it.redis_users(GROUP, self.password)
        self.planted = {"password": self.password,
                        **{name: f"planted-{name}-4711" for name in ("token", "sentinel")}}
        for name, value in self.planted.items():
            with open(os.path.join(self.tls, name), "w", encoding="utf-8") as out:
                out.write(value + "\n")
        self.grant()

    def close(self):
        if self.it is not None:
            self.it.close()
        if self.broker is not None:
            self.broker.stop()

    def grant(self):
        """The lines of deploy/kafka/acls.sh, with this run's names."""
        tools = os.path.join(self.folder, "bin")
        os.makedirs(tools)
        tool = os.path.join(tools, "kafka-acls.sh")
        with open(tool, "w", encoding="utf-8") as out:
            out.write(f'#!/bin/sh\nexec {ROOT}/deploy/services/kafka acls "$@"\n')
        os.chmod(tool, 0o755)
        names = {"SCANS": self.it.scans, "GROUP": GROUP,
                 **{kind.upper(): topic for kind, topic in self.topics.items()}}
        done = subprocess.run(
            [os.path.join(ROOT, "deploy/kafka/acls.sh"), "--bootstrap-server", self.broker.address],
            env={**os.environ, **names, "PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=180, check=False)
        check(done.returncode == 0, done.stderr[-500:])

    def secret(self, name):
        """As a setting names it."""
        return "${file:" + os.path.join(self.tls, name) + "}"

    # What librdkafka is told, in its own words.

    def sasl(self, user="peakline"):
        return {"bootstrap.servers": self.broker.sasl, "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user,
                "sasl.password": self.password,
                "ssl.ca.location": os.path.join(self.tls, "ca.pem")}

    def mtls(self, user="peakline"):
        return {"bootstrap.servers": self.broker.mtls, "security.protocol": "SSL",
                "ssl.ca.location": os.path.join(self.tls, "ca.pem"),
                "ssl.certificate.location": os.path.join(self.tls, f"{user}.pem"),
                "ssl.key.location": os.path.join(self.tls, f"{user}.key")}

    def settings(self, client):
        """The same as Peakline's settings, its secrets by file; and Redis' user."""
        secret = self.secret("password")
        rest = {f"rdkafka.{name}": value for name, value in client.items()
                if name != "bootstrap.servers"}
        if "sasl.password" in client:
            rest["rdkafka.sasl.password"] = secret
        return {"kafka.brokers": client["bootstrap.servers"], **rest,
                "redis.user": "peakline", "redis.password": secret}


def whole_way(place, client, seed):
    """An instance reads what is in the log, tells it, and stops cleanly."""
    import traffic
    place.it.produce(list(traffic.Traffic(seed, 400, broken=0.02).messages()))
    instance = place.it.start(GROUP, f"s{seed}", **place.settings(client))
    instance.finish(60)
    metrics = instance.metrics()
    for name in ("scans_effective", "alert_changes", "dead_letters"):
        check(metrics[f"peakline_{name}_total"] > 0, f"{name}: 0, nothing was shown")
    check(instance.stop() == 0, f"SIGTERM: the exit status is not 0\n{instance.tail()}")
    return instance


def scram(place):
    """SASL_SSL with SCRAM, ACLs and a Redis user: the whole way works, a stranger's does not"""
    whole_way(place, place.sasl(), 1)
    refused(place, place.sasl("stranger"))


def certificate(place):
    """a certificate in place of a password: the same"""
    whole_way(place, place.mtls(), 2)
    refused(place, place.mtls("stranger"))


def refused(place, client):
    """A user without ACLs: the log says what is missing, and nothing is taken."""
    import stand
    before = place.it.offsets(GROUP)
    instance = place.it.start(GROUP, "stranger", **place.settings(client))

    def told():
        return re.search(r"(?i)not authorized|authorization failed|not there|may not be seen"
                         r"|unknown topic", instance.tail(40)) or instance.process.poll()
    stand.until("a stranger is told why", 40, told, 0.2)
    check(place.it.offsets(GROUP) == before, "a stranger moved the offsets")
    instance.kill()


def forbidden(place):
    """the ACLs let Peakline's user do nothing but its work"""
    from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
    from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry,
                                       ConfigResource, NewTopic, ResourceType)
    mine = {**place.sasl(), "log_level": 2}
    patience = {"session.timeout.ms": 6000}     # of who waits for a coordinator

    def code(work):
        try:
            work()
            return "allowed"
        except KafkaException as error:
            return error.args[0].name()

    def send(topic):
        errors = []
        producer = Producer(mine)
        producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error))
        producer.flush(20)
        if errors and errors[0] is not None:
            raise KafkaException(errors[0])

    def read(topic, group):
        consumer = Consumer({**mine, "group.id": group})
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            message = consumer.poll(10)
            if message is not None and message.error():
                raise KafkaException(message.error())
        finally:
            consumer.close()

    def commit(group):
        consumer = Consumer({**mine, **patience, "group.id": group})
        try:
            consumer.commit(offsets=[TopicPartition(place.it.scans, 0, 0)], asynchronous=False)
        finally:
            consumer.close()
    admin = AdminClient(mine)
    attempts = {
        "send scans": lambda: send(place.it.scans),
        "read alerts": lambda: read(place.topics["alerts"], GROUP),
        "commit for another group": lambda: commit("another"),
        "create a topic": lambda: admin.create_topics([NewTopic("new", 1, 1)])["new"].result(20),
        "delete a topic": lambda: admin.delete_topics([place.it.scans])[place.it.scans].result(20),
        "change a topic": lambda: list(admin.incremental_alter_configs([
            ConfigResource(ResourceType.TOPIC, place.it.scans, incremental_configs=[
                ConfigEntry("retention.ms", "1",
                            incremental_operation=AlterConfigOpType.SET)])]).values())[0]
        .result(20),
    }
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(code, attempts.values()))
    for what, said in zip(attempts, answers):
        # Whoever may not use a group is asked to wait for its coordinator.
        check(said.endswith(("AUTHORIZATION_FAILED", "_WAIT_COORD")), f"{what}: {said}")
    check(code(lambda: send(place.topics["alerts"])) == "allowed", "its own work is refused too")
