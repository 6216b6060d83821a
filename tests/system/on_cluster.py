"""on_cluster - a Redis Cluster of six nodes, its slots moved and its masters killed."""
import os
import random
import signal
import time

import redis

import stand
from trial import Trial, check


# How every node is started: quick to be missed, quick to be replaced.
NODE = ("--", "--cluster-node-timeout", "2000", "--cluster-replica-validity-factor", "0",
        "--repl-diskless-sync-delay", "0")


class Node:
    """One redis-server of the cluster."""

    def __init__(self, folder, port, pid):
        self.folder, self.port, self.pid = folder, int(port), int(pid)
        self.client = redis.Redis(port=self.port, socket_timeout=5)
        self.ident = self.client.cluster("MYID").decode()

    def start(self):
        """Again, with the ports and the identity it had."""
        self.pid = int(stand.service("redis", "start", self.folder, "--cluster", *NODE)["pid"])

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{self.pid}/fd"):
            time.sleep(0.02)

    def is_master(self):
        return self.client.info("replication")["role"] == "master"

    def whole(self):
        return self.client.cluster("INFO")["cluster_state"] == "ok" and (
            self.is_master() or self.client.info("replication")["master_link_status"] == "up")


class Cluster:
    """Three masters, three replicas."""

    def __init__(self, it):
        it.redis_stop()
        folder = os.path.join(it.folder, "cluster")
        it.at_end.append(lambda: stand.service("redis", "stop", folder))
        started = stand.service("redis", "cluster", folder, "6", *NODE)
        self.nodes = [Node(os.path.join(folder, f"node{i}"), *place) for i, place in enumerate(
            zip(started["ports"].split(","), started["pids"].split(",")))]
        places = [f"127.0.0.1:{node.port}" for node in self.nodes]
        self.wait()
        it.redis_folder = self.nodes[0].folder
        it.redis = redis.RedisCluster(startup_nodes=[
            redis.cluster.ClusterNode("127.0.0.1", node.port) for node in self.nodes],
            socket_timeout=5)
        it.redis_address = ",".join(places[:2])

    def wait(self):
        stand.until("the cluster whole", 60, lambda: all(node.whole() for node in self.nodes), 0.2)

    def masters(self):
        return [node for node in self.nodes if node.is_master()]

    def owner(self, slot):
        """The master that has this slot, as the masters see it."""
        for node in self.masters():
            for line in node.client.execute_command("CLUSTER NODES").values():
                ranges = [s for s in line["slots"] if "->" not in s and "-<" not in s]
                if "myself" in line["flags"] and any(
                        int(s[0]) <= slot <= int(s[-1]) for s in ranges):
                    return node
        raise stand.Failed(f"nobody has slot {slot}")

    def move(self, slot, to, pause):
        """The slot with its keys, a few at a time, and a while with half of them on either."""
        source = self.owner(slot)
        to.client.cluster("SETSLOT", slot, "IMPORTING", source.ident)
        source.client.cluster("SETSLOT", slot, "MIGRATING", to.ident)
        moved = 0
        while True:
            keys = source.client.cluster("GETKEYSINSLOT", slot, 50)
            if not keys:
                break
            source.client.migrate("127.0.0.1", to.port, keys, 0, 5000)
            moved += len(keys)
            if pause:
                time.sleep(pause)
                pause = 0
        for node in (to, source, *self.masters()):
            node.client.cluster("SETSLOT", slot, "NODE", to.ident)
        return moved


def six_nodes(new, options):
    rng = random.Random(options.seed)
    made = []
    trial = Trial(new, options, "cluster", partitions=6, seconds=70,
                  settings={"redis.mode": "cluster", "redis.timeout": "3s"},
                  prepare=lambda it: made.append(Cluster(it)))
    it, cluster = trial.it, made[0]
    slots = [it.redis.keyslot(it.key(trial.group, p, "mark")) for p in range(it.partitions)]
    print(f"partitions in slots {slots}, on {len({cluster.owner(s).port for s in slots})} masters")
    trial.start("a", "b")
    trial.load()
    turn = moved = 0
    while trial.loading() or turn < 4:
        time.sleep(3)
        slot = rng.choice(slots)
        if turn % 2 == 0:
            others = [node for node in cluster.masters() if node is not cluster.owner(slot)]
            with trial.fault("slot migrated"):
                moved += cluster.move(slot, rng.choice(others), pause=1)
        else:
            with trial.fault("master killed"):
                master = cluster.owner(slot)
                master.kill()
                rest = [node for node in cluster.nodes if node is not master]
                stand.until("a replica promoted", 30, lambda: sum(
                    node.is_master() for node in rest) == 3 and all(
                    node.client.cluster("INFO")["cluster_state"] == "ok" for node in rest), 0.1)
                master.start()
                cluster.wait()
        trial.moved()
        turn += 1
    check(moved > 100, f"only {moved} keys were migrated")
    for answer in (trial.instances["a"].get("/v1/alerts?limit=3"),
                   trial.instances["b"].get("/partitions")):
        check('"scope"' in answer or "phase" in answer, f"HTTP: {answer[:200]}")
    trial.finish()
