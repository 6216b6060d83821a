"""what TLS, passwords, rights and a Redis Cluster cost: drains with all of them and with none.

In one sitting, in turn: --instances of peakline drain a filled topic plainly, with one Redis by
its socket; and secured, by SASL_SSL with SCRAM and as the least-privileged user of Kafka and of a
Redis Cluster of three masters, by TCP.  The rights are those that deploy/kafka/acls.sh and
deploy/redis/users.acl give, for all groups of the benchmark; filling and looking on stay on the
plain listener and sockets.  The topic is the same, and so is the broker.

ratio is the secured rate over the plain one, from the first mark on, of the medians; ratio_cpu
the same of peakline's CPU per scan.
"""
import binascii
import os
import subprocess
import time

import drain
import rig

MASTERS, SLOTS = 3, 16384


class Masters:
    """A Redis Cluster's masters, asked as if they were one server."""

    def __init__(self, folders):
        self.environments = [dict(line.split("=", 1) for line in (folder / "env").read_text()
                                  .split()) for folder in folders]
        self.servers = [rig.Redis(env["REDIS_SOCKET"]) for env in self.environments]
        self.owners = {slot: server for server in self.servers for slot in self._slots(server)}

    @staticmethod
    def _slots(server):
        text = server.commands([("CLUSTER", "NODES")])[0]
        mine = next(line.split() for line in text.splitlines() if "myself" in line)
        for span in mine[8:]:
            first, _, last = span.partition("-")
            yield from range(int(first), int(last or first) + 1)

    def commands(self, commands):
        """What reads a key goes to who has it, all else to everybody."""
        return [self._one(words) for words in commands]

    def _one(self, words):
        if words[0] != "GET":
            return [server.commands([words])[0] for server in self.servers][0]
        tag = words[1][words[1].index("{") + 1:words[1].index("}")]
        return self.owners[binascii.crc_hqx(tag.encode(), 0) % SLOTS].commands([words])[0]

    def used_memory(self):
        return sum(server.used_memory() for server in self.servers)

    def cpu_ns(self):
        return sum(rig.Process(int(env["REDIS_PID"])).cpu_ns() for env in self.environments)

    def close(self):
        for server in self.servers:
            server.close()


class SecureRig(rig.Rig):
    """A rig with both sides: `use` says which the next peakline is for."""

    def __enter__(self):
        super().__enter__()
        self.folder = self.dir / "cluster"
        self.single, self.masters = (self.redis, self.redis_process), None
        try:
            self.password = self.dir / "kafka" / "tls" / "password"
            self._grant_kafka()
            self._start_cluster()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop_peakline()
        if self.masters is not None:
            self.masters.close()
        if self.folder.is_dir():
            subprocess.run([rig.SERVICES / "redis", "stop", self.folder], check=False)
        self.redis = self.single[0]
        super().__exit__()

    def _service(self, name, verb, *words):
        super()._service(name, verb, *(("--secure",) if (name, verb) == ("kafka", "start") else ()),
                         *words)

    def _start_cluster(self):
        done = subprocess.run([rig.SERVICES / "redis", "cluster", self.folder, str(MASTERS)],
                              text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise rig.BenchError(f"redis cluster did not start: {done.stderr.strip()}")
        self.masters = Masters([self.folder / f"node{i}" for i in range(MASTERS)])
        for line in (rig.ROOT / "deploy/redis/users.acl").read_text().splitlines():
            words = line.replace("peakline:scans", f"*:{rig.TOPIC}") \
                .replace("PASSWORD", self.password.read_text().strip()).split()
            self.masters.commands([("ACL", "SETUSER", *words[1:])])

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

    def use(self, secured):
        self.secured = secured
        self.redis, self.redis_process = (self.masters, self.masters) if secured else self.single

    def start_peakline(self, arguments, group, extra=()):
        if not self.secured:
            return super().start_peakline(arguments, group, extra)
        secret = f"${{file:{self.password}}}"
        address = ",".join(f"127.0.0.1:{env['REDIS_PORT']}" for env in self.masters.environments)
        return super().start_peakline(arguments, group, [
            f"kafka.brokers={self.env['KAFKA_SASL']}", "rdkafka.security.protocol=SASL_SSL",
            "rdkafka.sasl.mechanism=SCRAM-SHA-512", "rdkafka.sasl.username=peakline",
            f"rdkafka.sasl.password={secret}",
            f"rdkafka.ssl.ca.location={self.dir}/kafka/tls/ca.pem",
            "redis.mode=cluster", f"redis.address={address}",
            "redis.user=peakline", f"redis.password={secret}", *extra])


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    machine, results = rig.machine(), {"plain": [], "secured": []}
    with SecureRig(arguments.keep, say) as bench:
        filled = bench.fill(arguments.peakload, arguments.scans, arguments.parcels, arguments.seed)
        rig.print_row(say, drain.COLUMNS, [title for title, _, _ in drain.COLUMNS])
        for number in range(arguments.runs + 1):    # the first pair does not count: see drain
            for side, runs in results.items():
                bench.use(side == "secured")
                result = drain.run_once(bench, arguments, filled,
                                        f"drain-{side}-{int(time.time() * 1000)}")
                if number > 0:
                    runs.append(result)
                rig.print_row(say, drain.COLUMNS,
                              [side if number > 0 else "warm-up",
                               *(form.format(result[name]) for _, name, form in drain.COLUMNS[1:])])
    plain, secured = (drain.medians(results[side]) for side in ("plain", "secured"))
    rig.record("secure", {
        "bench": "secure", "ratio": round(secured["scans_per_s"] / plain["scans_per_s"], 3),
        "ratio_from_start": round(secured["from_start"] / plain["from_start"], 3),
        "ratio_cpu": round(secured["cpu_ns_peakline"] / plain["cpu_ns_peakline"], 3),
        "plain_scans_per_s": round(plain["scans_per_s"]),
        "secured_scans_per_s": round(secured["scans_per_s"])},
        {"machine": machine, "filled": filled, "runs": results, "settings": arguments.set,
         "workers": arguments.workers, "instances": arguments.instances, "masters": MASTERS})
    if any(run["exit"] != 0 for runs in results.values() for run in runs):
        raise rig.BenchError("peakline did not end cleanly")


def main(words):
    parser = rig.options("secure", __doc__)
    rig.topic_options(parser, 2_000_000, 200_000)
    parser.add_argument("--instances", type=int, default=2, metavar="I")
    parser.add_argument("--runs", type=int, default=2, metavar="R", help="of each side")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
