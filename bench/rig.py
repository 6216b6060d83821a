"""What the benchmarks share: private servers, a peakline under measurement, and the record.

Only Python's standard library.  A Rig stops whatever it started when its `with` ends, also on
Ctrl-C; processes are known by their pid, never by name.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVICES = ROOT / "deploy" / "services"
RESULTS = ROOT / "bench" / "results"
TOPIC = "scans"
PARTITIONS = 12
# What peakline writes; small, so that the broker's files do not count.
OUTPUTS = ("alerts:4", "etas:4:compact", "dead-letters:4", "progress:4:compact",
           "activity:4", "models:4:compact", "facility-state:1:compact")


class BenchError(Exception):
    """Something to tell the person, without a traceback."""


def options(name, description):
    parser = argparse.ArgumentParser(prog=f"bench/run {name}", description=description)
    parser.add_argument("--peakline", default=str(ROOT / "build" / "peakline"), metavar="FILE")
    parser.add_argument("--peakload", default=str(ROOT / "build" / "peakload"), metavar="FILE")
    parser.add_argument("--workers", type=int, default=0, metavar="W",
                        help="runners.workers; by default peakline's own default")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE",
                        help="a further setting of peakline")
    parser.add_argument("--keep", metavar="DIR",
                        help="keep the servers' data and the filled topic there, use it again")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    return parser


def topic_options(parser, scans, parcels, timeout=300):
    """Of a bench that fills a topic once and drains it again and again."""
    parser.add_argument("--scans", type=int, default=scans, metavar="N")
    parser.add_argument("--parcels", type=int, default=parcels, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--timeout", type=float, default=timeout, metavar="S",
                        help="of one run, in seconds")


def traffic(scans, parcels, seed, alive=0):
    """peakload's options; by default a fifth is under way, as in a network that has run a while."""
    return ["--scans", str(scans), "--parcels", str(parcels), "--seed", str(seed),
            "--alive", str(alive or max(1000, parcels // 5))]


class Process:
    """CPU and memory of a running process, all its threads, from /proc."""

    TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def __init__(self, pid):
        self.pid = pid

    def cpu_ns(self):
        # Behind the name, which may hold anything but ends with the last ')'.
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * self.TICK_NS

    def memory(self, name):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        return 0


class Redis:
    """Just enough of a client: commands out, replies in, over the Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.reader = self.socket.makefile("rb")

    def commands(self, commands):
        out = bytearray()
        for words in commands:
            out += b"*%d\r\n" % len(words)
            for word in words:
                data = word.encode()
                out += b"$%d\r\n%s\r\n" % (len(data), data)
        self.socket.sendall(out)
        return [self._reply() for _ in commands]

    def _reply(self):
        line = self.reader.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.reader.read(int(rest) + 2)[:-2].decode()
        if kind in (b"+", b":"):
            return rest.decode()
        raise BenchError(f"redis: {line.decode(errors='replace').strip()}")

    def used_memory(self):
        info = self.commands([("INFO", "memory")])[0]
        return int(next(line.split(":")[1] for line in info.splitlines()
                        if line.startswith("used_memory:")))

    def close(self):
        self.reader.close()
        self.socket.close()


class Rig:
    """A private Kafka and Redis in one directory."""

    def __init__(self, keep, say, kafka=True, settings=(), topics=()):
        self.say = say
        self.topics = topics    # beside the usual ones
        self.keep = keep is not None
        self.kafka = kafka
        self.settings = settings    # of the broker
        self.dir = pathlib.Path(keep or tempfile.mkdtemp(prefix="peakline-bench-"))
        self.peaklines = []     # the instances that run
        self.redis = None

    def __enter__(self):
        try:
            self.dir.mkdir(parents=True, exist_ok=True)
            self.say(f"starting {'Kafka and ' if self.kafka else ''}Redis in {self.dir}")
            topics = [f"{TOPIC}:{PARTITIONS}", *OUTPUTS, *self.topics]
            if self.kafka:
                self._service("kafka", "start",
                              *(word for topic in topics for word in ("--topic", topic)),
                              *(word for line in self.settings for word in ("--set", line)))
            self._service("redis", "start")
            lines = (self.dir / "env").read_text().split()
            self.env = dict(line.split("=", 1) for line in lines)
            if self.kafka:
                self.brokers = self.env["KAFKA_BROKERS"]
                self.kafka_process = Process(int(self.env["KAFKA_PID"]))
            self.redis_process = Process(int(self.env["REDIS_PID"]))
            self.redis = Redis(self.env["REDIS_SOCKET"])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # A second Ctrl-C must not leave servers behind.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.stop_peakline()
        if self.redis is not None:
            self.redis.close()
        for name in ("redis", "kafka") if self.kafka else ("redis",):
            if self.dir.is_dir():
                subprocess.run([SERVICES / name, "stop", self.dir], check=False)
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        signal.signal(signal.SIGINT, previous)

    def _service(self, name, verb, *words):
        # In a session of its own, and told to end: killed, it would leave its server behind.
        script = subprocess.Popen([SERVICES / name, verb, self.dir, *words], text=True,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  start_new_session=True)
        try:
            said = script.communicate()[1]
        except BaseException:
            script.terminate()
            script.wait()
            raise
        if script.returncode != 0:
            raise BenchError(f"{name} did not start: {said.strip()}")

    def fill(self, peakload, scans, parcels, seed, alive=None):
        """Fills the topic, or finds it filled: {"scans", "parcels", "ends", …}.  A fifth of the
        parcels is under way at a time, as in a network that has run for a while, or so many."""
        memory = self.dir / "filled.json"
        wanted = {"scans": scans, "parcels": parcels, "seed": seed}
        if memory.exists():
            filled = json.loads(memory.read_text())
            if {name: filled[name] for name in wanted} != wanted:
                raise BenchError(f"{self.dir} was filled with {filled['scans']} scans of "
                                 f"{filled['parcels']} parcels, seed {filled['seed']}: "
                                 "use those numbers or another --keep")
            return filled
        self.say(f"filling topic {TOPIC} with {scans:,} scans of {parcels:,} parcels")
        done = subprocess.run(
            [peakload, "generate", "--brokers", self.brokers, "--topic", TOPIC, "--json",
             "--quiet", *traffic(scans, parcels, seed, alive)],
            stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise BenchError(f"peakload ended with {done.returncode}")
        filled = json.loads(done.stdout.splitlines()[-1])
        if sum(filled["ends"]) != scans:
            raise BenchError(f"the topic holds {sum(filled['ends'])} scans, not {scans}: it was "
                             "not empty")
        memory.write_text(json.dumps(filled))
        return filled

    def start_peakline(self, arguments, group, extra=()):
        """With its own defaults, but for addresses, the group, and what was asked for."""
        listen = f"127.0.0.1:{free_port()}"
        self.http = f"http://{listen}"
        settings = [f"kafka.brokers={self.brokers}", f"kafka.group={group}",
                    f"redis.address=unix:{self.env['REDIS_SOCKET']}",
                    f"http.listen={listen}", *extra, *arguments.set]
        if arguments.workers:
            settings.append(f"runners.workers={arguments.workers}")
        words = [word for setting in settings for word in ("--set", setting)]
        self.log = self.dir / f"peakline{len(self.peaklines) or ''}.log"
        with self.log.open("wb") as log:
            self.peaklines.append(subprocess.Popen([arguments.peakline, "run", *words], stdout=log,
                                                   stderr=log, start_new_session=True))
        return Process(self.peaklines[-1].pid)

    def check_peakline(self):
        for one in self.peaklines:
            if one.poll() is not None:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise BenchError(f"peakline ended with {one.returncode}:\n{tail}")

    def kill_peakline(self):
        """kill -9 of the one that runs."""
        only, = self.peaklines
        only.kill()
        only.wait()
        self.peaklines = []

    def stop_peakline(self):
        """The worst exit code; -9 where one had to be killed.  None: none ran."""
        running, self.peaklines = self.peaklines, []
        for process in running:
            process.terminate()
        return max((self._end(process) for process in running), key=abs, default=None)

    @staticmethod
    def _end(process):
        try:
            return process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def marks(self, group):
        """{partition: (offset, records)} of the partitions that have a mark."""
        replies = self.redis.commands(
            [("GET", f"{{{group}:{TOPIC}:{p}}}:mark") for p in range(PARTITIONS)])
        fields = {p: reply.split() for p, reply in enumerate(replies) if reply}
        return {p: (int(words[6]), int(words[8])) for p, words in fields.items()}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def need(*programs):
    for program in programs:
        if not os.access(program, os.X_OK):
            raise BenchError(f"{program}: not there; build first (cmake --build build)")


def machine():
    model = next((line.split(":", 1)[1].strip()
                  for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load_before": os.getloadavg()[0]}


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip() or "unknown"


def record(name, summary, details):
    """Keeps the whole result as a file, and prints the summary as the last line."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / time.strftime(f"{name}-%Y%m%d-%H%M%S.json", time.gmtime())
    whole = {**summary, "commit": commit(), **details}
    file.write_text(json.dumps(whole, indent=1) + "\n")
    print(json.dumps(summary, separators=(",", ":")), flush=True)


def speaker(arguments):
    def say(text=""):
        if not arguments.json:
            print(text, flush=True)
    return say


def guarded(run):
    """Turns a BenchError into one line and exit code 1."""
    try:
        run()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def print_row(say, columns, cells):
    """One line of a table; columns: (title, key, form)."""
    say("  ".join(f"{cell:>{max(len(column[0]), 9)}}" for cell, column in zip(cells, columns)))
