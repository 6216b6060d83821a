"""A rig whose peakline comes by TLS and SCRAM, as the least-privileged user of Kafka and Redis.

The rights are those that deploy/kafka/acls.sh and deploy/redis/users.acl give, for all groups of
benchmarks; filling and looking on stay on the plain listener and socket.
"""
import os
import subprocess

import rig


class SecureRig(rig.Rig):
    def __enter__(self):
        super().__enter__()
        try:
            self.password = self.dir / "kafka" / "tls" / "password"
            self._grant_kafka()
            self._grant_redis()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _service(self, name, verb, *words):
        super()._service(name, verb, *(("--secure",) if (name, verb) == ("kafka", "start") else ()),
                         *words)

    def _grant_kafka(self):
        tools = self.dir / "bin"
        tools.mkdir(exist_ok=True)
        tool = tools / "kafka-acls.sh"
        tool.write_text(f'#!/bin/sh\nexec {rig.SERVICES}/kafka acls "$@"\n')
        tool.chmod(0o755)
        done = subprocess.run(
            [rig.ROOT / "deploy/kafka/acls.sh", "--bootstrap-server", self.brokers,
             "--resource-pattern-type", "prefixed"], text=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "GROUP": "drain-", "PATH": f"{tools}:{os.environ['PATH']}"})
        if done.returncode != 0:
            raise rig.BenchError(f"acls.sh: {done.stderr.strip()}")

    def _grant_redis(self):
        for line in (rig.ROOT / "deploy/redis/users.acl").read_text().splitlines():
            words = line.replace("peakline:scans", f"*:{rig.TOPIC}") \
                .replace("PASSWORD", self.password.read_text().strip()).split()
            self.redis.commands([("ACL", "SETUSER", *words[1:])])

    def start_peakline(self, arguments, group, extra=()):
        secret = f"${{file:{self.password}}}"
        return super().start_peakline(arguments, group, [
            f"kafka.brokers={self.env['KAFKA_SASL']}", "rdkafka.security.protocol=SASL_SSL",
            "rdkafka.sasl.mechanism=SCRAM-SHA-512", "rdkafka.sasl.username=peakline",
            f"rdkafka.sasl.password={secret}",
            f"rdkafka.ssl.ca.location={self.dir}/kafka/tls/ca.pem",
            "redis.user=peakline", f"redis.password={secret}", *extra])
