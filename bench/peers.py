"""the same job on Kafka Streams, Flink and by hand: their speed and CPU beside Peakline's.

A topic is filled beforehand and drained in turn by Peakline, which does all it does, and by
each peer, which does a part of it: duplicates dropped, an ETA from a table, alerts for a second
failed attempt, an arrival where nobody sent it, a day of silence.  The peers must agree to the
byte on what they told, whatever their order, or the benchmark fails.  Peakline's counts of the
same things, by its own and finer definitions, stand beside theirs.

A peer's figures begin with its first scan and end with its last one: the JVM's start, a last
flush and commit are given to it.  `steady` is the second half, its compiler warm.  Peakline's
CPU counts from the start of its process, and its end is the last acknowledged checkpoint.
All CPU is of one run: process, Kafka and Redis; `all ns` is their sum, from which the ratios are.
"""
import json
import os
import pathlib
import re
import selectors
import statistics
import subprocess
import time

import drain
import rig

HERE = rig.ROOT / "bench" / "peers"
OPENED = {"misrouted": r"misrouted \w+ OPENED",
          "delivery-failed": r"delivery-failed warning (OPENED|UPDATED)",
          "stalled": r"stalled \w+ OPENED"}
# name: (module, main class, heap, properties)
PEERS = {
    "streams-memory": ("streams", "Streams", "3g", {"store": "memory"}),
    "streams-rocksdb": ("streams", "Streams", "3g", {"store": "rocksdb"}),
    "flink": ("flink", "Flink", "3g", {"checkpoint": "10000"}),
    "by-hand": ("byhand", "ByHand", "2g", {}),
}
COLUMNS = (("engine       ", "engine", "{}"), ("scans/s", "scans_per_s", "{:,.0f}"),
           ("steady", "steady_per_s", "{:,.0f}"), ("process ns", "cpu_ns_process", "{:,.0f}"),
           ("Kafka ns", "cpu_ns_kafka", "{:,.0f}"), ("Redis ns", "cpu_ns_redis", "{:,.0f}"),
           ("all ns", "cpu_ns_all", "{:,.0f}"), ("steady ns", "steady_ns_all", "{:,.0f}"),
           ("RSS MB", "rss_mb", "{:,.0f}"))


def build(say):
    say("building the peers (Maven)")
    done = subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "package"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise rig.BenchError(f"mvn package in {HERE}:\n{done.stdout[-2000:]}")


def java(module, main, heap, properties):
    target = HERE / module / "target"
    return ["java", f"-Xmx{heap}", "-XX:+UseG1GC", "-XX:-UsePerfData",
            *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util")),
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            *(f"-Dpeers.{name}={value}" for name, value in properties.items()),
            "-cp", f"{target}/peers-{module}-1.jar:{target}/lib/*", f"peers.{main}"]


class Peer:
    """A process that says where it is, line by line."""

    def __init__(self, bench, run, name, properties):
        module, main, heap, own = PEERS[name]
        self.log, home = bench.dir / f"{run}.log", bench.dir / run
        home.mkdir()
        command = java(module, main, heap, {**properties, **own, "run": run, "dir": home})
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log,
                                            start_new_session=True)
        self.watched = [rig.Process(self.process.pid), bench.kafka_process, bench.redis_process]
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def wait_for(self, word, deadline):
        """What follows the word on its line, with the time and the CPU used up to it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.text:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise rig.BenchError(f"not {word} in time; see {self.log}")
                more = os.read(self.process.stdout.fileno(), 4096)
                if not more:
                    tail = self.log.read_text(errors="replace").splitlines()[-15:]
                    raise rig.BenchError("a peer ended early:\n" + "\n".join(tail))
                self.text += more
        line, _, self.text = self.text.partition(b"\n")
        said, _, rest = line.decode().partition(" ")
        if said != word:
            raise rig.BenchError(f"a peer said {said!r}, not {word!r}")
        return rest

    def look(self, word, deadline):
        self.wait_for(word, deadline)
        return time.monotonic(), [process.cpu_ns() for process in self.watched]


def run_peer(bench, arguments, filled, run, name, properties):
    scans, deadline = filled["scans"], time.monotonic() + arguments.timeout
    bench.redis.commands([("FLUSHALL",)])
    with Peer(bench, run, name, properties) as peer:
        begun, first = peer.look("begun", deadline)
        half, middle = peer.look("half", deadline)
        end, last = peer.look("drained", deadline)
        rss, redis = peer.watched[0].memory("VmRSS"), drain.redis_bytes(bench)
        counts = json.loads(peer.wait_for("ended", deadline))
        if peer.process.wait(60) != 0:
            raise rig.BenchError(f"{name} ended with {peer.process.returncode}; see {peer.log}")
    process, kafka, store = ((b - a) / scans for a, b in zip(first, last))
    late = scans - scans // 2
    return {"engine": name, "scans_per_s": scans / (end - begun),
            "steady_per_s": late / (end - half), "cpu_ns_process": process,
            "cpu_ns_kafka": kafka, "cpu_ns_redis": store,
            "cpu_ns_all": process + kafka + store,
            "steady_ns_all": (sum(last) - sum(middle)) / late, "rss_mb": rss / 1e6,
            "redis_bytes": redis, "told": {**counts, **digest(bench, f"{run}-etas",
                                                              f"{run}-alerts")}}


def run_peakline(bench, arguments, filled, run):
    before = digest(bench, "alerts")["alerts"]["kinds"]
    result = drain.run_once(bench, arguments, filled, run)
    after = digest(bench, "alerts")["alerts"]["kinds"]
    result["told"] = {name: sum(after[kind] - before.get(kind, 0) for kind in after
                                if re.fullmatch(form, kind))
                      for name, form in OPENED.items()}
    result.update(engine="peakline", steady_per_s=result["scans_per_s"],
                  cpu_ns_process=result["cpu_ns_peakline"])
    result["cpu_ns_all"] = result["steady_ns_all"] = sum(
        result[f"cpu_ns_{name}"] for name in ("process", "kafka", "redis"))
    return result


def digest(bench, *topics):
    """{topic without its run: {"records", "hash", "kinds"}}"""
    command = java("job", "Digest", "512m", {"brokers": bench.brokers})
    done = subprocess.run([*command, *topics], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise rig.BenchError(f"reading {', '.join(topics)}: {done.stderr[-1000:]}")
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {topic.rpartition("-")[2]: json.loads(rest) for topic, rest in lines}


def disagreements(results):
    """Sentences on where a peer told something else than the first one."""
    first = results[0]
    return [f"{other['engine']} and {first['engine']} disagree on {what}: "
            f"{other['told'].get(what)} and {first['told'].get(what)}"
            for other in results[1:]
            for what in sorted(first["told"].keys() | other["told"].keys())
            if first["told"].get(what) != other["told"].get(what)]


def middle(results, engine):
    runs = [result for result in results if result["engine"] == engine]
    return {name: engine if name == "engine" else statistics.median(run[name] for run in runs)
            for _, name, _ in COLUMNS}


def ratios(medians):
    """{peer: how many times Peakline is as fast, and as cheap}, whole and steady."""
    ours = medians["peakline"]
    return {name: {"speed": ours["scans_per_s"] / one["scans_per_s"],
                   "cpu": one["cpu_ns_all"] / ours["cpu_ns_all"],
                   "steady_speed": ours["scans_per_s"] / one["steady_per_s"],
                   "steady_cpu": one["steady_ns_all"] / ours["cpu_ns_all"]}
            for name, one in medians.items() if name != "peakline"}


def print_told(say, results):
    ours = next(result["told"] for result in results if result["engine"] == "peakline")
    told = next(result["told"] for result in results if result["engine"] != "peakline")
    say(f"\nall peers agree: {told['duplicates']:,} duplicates, {told['etas']['records']:,} ETAs, "
        f"{told['alerts']['records']:,} alerts; of a kind, the peers and Peakline:")
    for name, count in told["alerts"]["kinds"].items():
        say(f"  {name:16} {count:9,} {ours.get(name, 0):9,}")


def print_result(say, medians, compared):
    rig.print_row(say, COLUMNS, [title for title, _, _ in COLUMNS])
    for one in medians.values():
        rig.print_row(say, COLUMNS, [form.format(one[name]) for _, name, form in COLUMNS])
    for name, times in compared.items():
        say(f"Peakline against {name}: {times['speed']:.1f}x the scans/s "
            f"({times['steady_speed']:.1f}x steady), {times['cpu']:.1f}x the scans per "
            f"CPU-second ({times['steady_cpu']:.1f}x steady)")


def run_all(arguments, bench, stamp, facilities, say):
    filled = bench.fill(arguments.peakload, arguments.scans, arguments.parcels, arguments.seed)
    properties = {"brokers": bench.brokers, "topic": rig.TOPIC, "scans": arguments.scans,
                  "facilities": facilities, "redis": bench.env["REDIS_ADDRESS"].split(":")[1]}
    say("a run that does not count: a broker just started compiles itself for seconds")
    drain.run_once(bench, arguments, filled, f"{stamp}-warm")
    results = []
    for number in range(1, arguments.runs + 1):
        say(f"run {number}: peakline")
        results.append(run_peakline(bench, arguments, filled, f"{stamp}-{number}"))
        for name in arguments.only:
            say(f"run {number}: {name}")
            results.append(run_peer(bench, arguments, filled, f"{stamp}-{number}-{name}", name,
                                    properties))
    return filled, results


def write_facilities(peakload, file):
    done = subprocess.run([peakload, "generate", "--scans", "0", "--null", "--quiet",
                           "--csv-facilities", file], stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise rig.BenchError(f"peakload ended with {done.returncode}")


def measure(arguments, say):
    rig.need(arguments.peakline, arguments.peakload)
    build(say)
    machine, stamp = rig.machine(), f"peers{int(time.time())}"
    topics = [f"{stamp}-{number}-{name}-{output}:4" for number in range(1, arguments.runs + 1)
              for name in arguments.only for output in ("etas", "alerts")]
    with rig.Rig(arguments.keep, say, topics=topics) as bench:
        facilities = pathlib.Path(bench.dir) / "facilities.csv"
        write_facilities(arguments.peakload, facilities)
        filled, results = run_all(arguments, bench, stamp, facilities, say)
    medians = {name: middle(results, name) for name in ("peakline", *arguments.only)}
    compared = ratios(medians)
    print_result(say, medians, compared)
    wrong = disagreements([result for result in results if result["engine"] != "peakline"])
    if wrong:
        raise rig.BenchError("\n".join(wrong))
    print_told(say, results)
    rig.record("peers", {"bench": "peers",
                         **{f"at_{name}": times for name, times in compared.items()},
                         "scans_per_s": round(medians["peakline"]["scans_per_s"]),
                         "least_speed": min(times["speed"] for times in compared.values()),
                         "least_cpu": min(times["cpu"] for times in compared.values())},
               {"machine": machine, "filled": filled, "runs": results, "medians": medians,
                "settings": arguments.set, "workers": arguments.workers})
    if any(result.get("exit", 0) != 0 for result in results):
        raise rig.BenchError("peakline did not end cleanly")


def main(words):
    parser = rig.options("peers", __doc__)
    rig.topic_options(parser, 6_000_000, 500_000, timeout=600)
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER",
                        help=f"some of {', '.join(PEERS)}")
    parser.add_argument("--runs", type=int, default=1, metavar="R", help="of each, in turn")
    arguments = parser.parse_args(words)
    arguments.instances = 1
    return rig.guarded(lambda: measure(arguments, rig.speaker(arguments)))
