"""contracts - every message of a real run against deploy/schemas/, and those who read them.

    tests/contracts/run [--list | NAME...]
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SCHEMAS = os.path.join(ROOT, "deploy/schemas")
CACHE = os.environ.get("PEAKLINE_CACHE", os.path.expanduser("~/.cache/peakline"))
sys.path[:0] = [os.path.join(ROOT, "tests/system"), os.path.join(ROOT, "deploy/examples")]
VALUES = {"alerts": "alert", "etas": "eta", "progress": "progress", "activity": "activity"}
HEADERS = {"alerts": "alert-headers", "etas": "eta-headers", "dead_letters": "dead-letter-headers"}
PASSWORD = "a-password"

import bridged                  # noqa: E402  pylint: disable=wrong-import-position
import tally                    # noqa: E402  pylint: disable=wrong-import-position
from tally import check         # noqa: E402  pylint: disable=wrong-import-position


def validators():
    import jsonschema
    found = {}
    for file in sorted(os.listdir(SCHEMAS)):
        if file.endswith(".schema.json"):
            with open(os.path.join(SCHEMAS, file), encoding="utf-8") as text:
                schema = json.load(text)
            jsonschema.Draft7Validator.check_schema(schema)
            found[file[:-len(".schema.json")]] = jsonschema.Draft7Validator(
                schema, format_checker=jsonschema.FormatChecker())
    return found


def stamped(messages):
    """As if they had come in the last ten minutes: counts are told when a minute is over."""
    now_ms = int(time.time() * 1000)
    for i, message in enumerate(messages):
        message.at_ms = now_ms - 600000 + i * 600000 // len(messages)
    return messages


class Run:
    """What a real run took and told."""

    def __init__(self, folder):
        self.folder, self.group = folder, "contracts"
        self.broker = self.it = None

    def begin(self):
        import stand
        import traffic
        folder = self.folder
        self.broker = stand.Broker(folder)
        self.it = stand.Stand(self.broker, os.path.join(folder, "contracts"), "contracts")
        self.it.redis_users(self.group, PASSWORD)
        secret = os.path.join(folder, "password")
        with open(secret, "w", encoding="utf-8") as out:
            out.write(PASSWORD)
        self.instance = self.it.start(self.group, **{
            "redis.user": "peakline", "redis.password": f"${{file:{secret}}}",
            "activity.enabled": "true"})
        self.it.produce(stamped(list(traffic.Traffic(1, 1500, broken=0.02).messages())))
        self.it.peakload("generate", "--brokers", self.broker.address, "--topic", self.it.scans,
                         "--rate", "8000", "--seconds", "4", "--seed", "1")
        self.instance.finish(120)
        check(self.instance.stop() == 0, "SIGTERM: the exit status is not 0")
        self.topics = self.it.outputs(self.group)
        self.told = {kind: self.read(topic) for kind, topic in self.topics.items()
                     if kind in ("alerts", "etas", "progress", "dead_letters", "activity")}

    def close(self):
        if self.it is not None:
            self.it.close()
        if self.broker is not None:
            self.broker.stop()

    def read(self, topic):
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.it.broker.address, "group.id": "reader",
                             "enable.partition.eof": True, "enable.auto.commit": False})
        left = set(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in left])
        messages = []
        while left:
            message = consumer.poll(20)
            check(message is not None, f"{topic}: no answer")
            if message.error() is None:
                messages.append(message)
            else:
                check(message.error().code() == KafkaError._PARTITION_EOF, message.error())
                left.discard(message.partition())
        consumer.close()
        return messages


def broken_by(validator, value):
    wrong = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(value)]
    patterns = validator.schema.get("patternProperties", {})
    return wrong + [f"{name} is not in the schema" for name in value
                    if name not in validator.schema["properties"]
                    and not any(re.search(pattern, name) for pattern in patterns)]


def messages(run):
    """every message told, and every scan taken, is as its schema says"""
    by_name, counts = validators(), {}
    dead = {(m.headers_of["source-partition"], m.headers_of["source-offset"])
            for m in map(Letter, run.told["dead_letters"])}
    for kind, told in run.told.items():
        check(told, f"no message in {kind}: nothing was compared")
        for message in told:
            looked = {}
            if kind in VALUES:
                looked[VALUES[kind]] = json.loads(message.value())
            if kind in HEADERS:
                looked[HEADERS[kind]] = Letter(message).headers_of
            for name, value in looked.items():
                wrong = broken_by(by_name[name], value) if kind != "dead_letters" else \
                    [e.message for e in by_name[name].iter_errors(value)]
                check(not wrong, f"{kind} at {message.offset()}: {wrong[:3]} in {value}")
                counts[name] = counts.get(name, 0) + 1
    for message in run.read(run.it.scans):
        place = (str(message.partition()), str(message.offset()))
        if message.value() is None or place in dead:
            continue
        text = message.value()[5 if message.value()[:1] == b"\0" else 0:]     # framed
        wrong = list(by_name["scan"].iter_errors(json.loads(text)))
        check(not wrong, f"a scan that was taken: {wrong[:1]}")
        counts["scan"] = counts.get("scan", 0) + 1
    print("       ", ", ".join(f"{n} {c}" for n, c in sorted(counts.items())))


class Letter:
    """A message's headers as texts; of repeated names the last, which is ours."""

    def __init__(self, message):
        self.headers_of = {name: (value or b"").decode("utf-8", "replace")
                           for name, value in message.headers() or []}


def traces(run):
    """what a scan causes bears its traceparent, and no other"""
    scans, of_key, counts = {}, {}, {"alerts": 0, "etas": 0}
    for message in run.read(run.it.scans):
        trace = Letter(message).headers_of.get("traceparent")
        scans[message.partition(), message.offset()] = trace
        of_key.setdefault(message.key(), set()).add(trace)
    for kind in counts:
        for message in run.told[kind]:
            value = json.loads(message.value())
            trace = Letter(message).headers_of.get("traceparent")
            wanted = {scans[value["partition"], value["offset"]]} if "offset" in value else \
                of_key[message.key()] | {None}
            check(trace in wanted, f"{kind}: {trace}, not of {wanted}: {value}")
            counts[kind] += trace is not None
    check(min(counts.values()) > 0, f"nothing was compared: {counts}")
    print("       ", counts)


def planted(run):
    """broken messages are refused"""
    by_name = validators()
    for kind, name in VALUES.items():
        good = json.loads(run.told[kind][0].value())
        check(not broken_by(by_name[name], good), f"{name}: a good one is refused")
        for member in by_name[name].schema["required"]:
            without = {k: v for k, v in good.items() if k != member}
            check(broken_by(by_name[name], without), f"{name} without {member} passes")
            check(broken_by(by_name[name], {**good, member: {}}), f"{name}: {member} {{}} passes")
        check(broken_by(by_name[name], {**good, "more": 1}), f"{name}: an unknown member passes")


def incidents_fold(run):
    """the example subscriber finds open what Redis says is open"""
    import incidents
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, "deploy/examples/incidents.py"),
         run.it.broker.address, run.topics["alerts"], run.topics["progress"]],
        capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == 0, done.stderr[-500:])
    fold = incidents.Incidents()
    for message in run.told["progress"]:
        fold.told(message.value())
    for message in list(run.told["alerts"]) + list(run.told["alerts"])[:50]:    # some come again
        fold.alert(message.value())
    stored = set()
    for partition in range(run.it.partitions):
        stored |= {i.decode() for i in run.it.redis.hkeys(
            run.it.key(run.group, partition, "open"))}
    mine = {alert["id"] for alert in fold.open()}
    check(mine and mine == stored, f"{len(mine)} open, Redis has {len(stored)}")
    check(len(fold.progress) == run.it.partitions and fold.complete_to(), "progress is missing")
    check(f"{len(mine)} open of" in done.stdout, done.stdout[-200:])


def watched(run):
    """`peakline activity` reads every record of counts that was told, and judges their minutes"""
    import stand
    done = subprocess.run([stand.PEAKLINE, "activity", "-"], capture_output=True, timeout=60,
                          input=b"\n".join(m.value() for m in run.told["activity"]), check=False)
    check(done.returncode == 0, done.stderr[-500:])
    said = re.search(rb"; (\d+) subjects, judged to 20", done.stdout)
    check(said and int(said[1]) > 10, done.stdout[-300:])
    broken = subprocess.run([stand.PEAKLINE, "activity", "-"], capture_output=True, timeout=60,
                            input=run.told["activity"][0].value() + b"\nno record\n", check=False)
    check(broken.returncode == 1 and b"standard input:2" in broken.stderr, broken.stderr)


def library(run):
    """the Function library finds every stored parcel, where murmur2 says"""
    import record
    count = 0
    for partition in range(run.it.partitions):
        mark = run.it.key(run.group, partition, "mark")
        for bucket in run.it.redis.keys(run.it.key(run.group, partition, "b") + "*"):
            for number, data in run.it.redis.hgetall(bucket).items():
                said = json.loads(run.it.redis.fcall_ro("peakline_parcel", 1, mark, number))
                stored = record.unpack(data)
                check(said["number"].encode() == number and said["life"] == stored.life
                      and len(said["timeline"]) == len(stored.history), f"{number}: {said}")
                home = run.it.redis.fcall_ro("peakline_partition", 0, number, run.it.partitions)
                check(home == partition, f"{number}: home {home}, stored in {partition}")
                count += 1
        said = json.loads(run.it.redis.fcall_ro("peakline_alerts", 1, mark, 10000))
        check(said["matching"] == len(said["alerts"]), "open alerts are missing")
    check(count > 1000, f"only {count} parcels were asked for")


def users(run):
    """Redis' users may what they need (the whole run was one's), and no more"""
    import redis

    def refused(name, *words):
        one = redis.Redis(unix_socket_path=run.it.redis_socket, username=name,
                          password=PASSWORD)
        try:
            one.execute_command(*words)
        except redis.exceptions.NoPermissionError:
            return True
        return False
    mine, reader = run.it.key(run.group, 0, "mark"), "peakline-reader"
    check(not refused(reader, "FCALL_RO", "peakline_alerts", 1, mine), "reader: FCALL_RO")
    for name in ("peakline", reader):
        for words in (("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST"),
                      ("GET", "{another:scans:0}:mark"), ("FUNCTION", "FLUSH")):
            check(refused(name, *words), f"{name} may {' '.join(words)}")
    for words in (("SET", mine, "x"), ("HSET", mine, "a", "b"), ("FUNCTION", "LOAD", "x")):
        check(refused(reader, *words), f"{reader} may {' '.join(words)}")


def asyncapi(_):
    """AsyncAPI's own parser takes the document, and refuses a broken one"""
    home = os.path.join(CACHE, "asyncapi-parser-3")
    if not os.path.isdir(os.path.join(home, "node_modules/@asyncapi/parser")):
        os.makedirs(home, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", home,
                        "@asyncapi/parser@3"], check=True, timeout=300, stdin=subprocess.DEVNULL)

    def parse(file):
        return subprocess.run(["node", os.path.join(HERE, "asyncapi.mjs"), home, file],
                              capture_output=True, text=True, timeout=120, check=False)
    done = parse(os.path.join(SCHEMAS, "asyncapi.yaml"))
    check(done.returncode == 0 and "6 messages" in done.stdout, done.stdout + done.stderr[-800:])
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(SCHEMAS, folder, dirs_exist_ok=True)
        file = os.path.join(folder, "asyncapi.yaml")
        with open(file, encoding="utf-8") as text:
            broken = text.read().replace("action: send", "action: shout", 1)
        with open(file, "w", encoding="utf-8") as text:
            text.write(broken)
        check(parse(file).returncode != 0, "a broken document passes")


def incidents_in_c(run):
    """the same subscriber in C says the same"""
    program = os.path.join(run.folder, "incidents")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "rdkafka", "jansson"],
                           capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program,
                    os.path.join(ROOT, "deploy/examples/incidents.c"), *flags], check=True)
    words = [run.it.broker.address, run.topics["alerts"], run.topics["progress"]]
    said = [subprocess.run([*command, *words], capture_output=True, text=True, timeout=60,
                           check=True).stdout.splitlines()
            for command in ([program], [sys.executable,
                                        os.path.join(ROOT, "deploy/examples/incidents.py")])]
    check(len(said[0]) > 50 and sorted(said[0]) == sorted(said[1]),
          f"C: {said[0][-1:]}, Python: {said[1][-1:]}")
    done = subprocess.run([program, run.it.broker.address, "no-such-topic"], capture_output=True,
                          text=True, timeout=60, check=False)
    check(done.returncode == 1 and "progress" in done.stderr, done.stderr)


TESTS = {"messages": messages, "traces": traces, "planted": planted, "incidents": incidents_fold,
         "incidents-c": incidents_in_c, "bridge": bridged.bridge, "watched": watched,
         "library": library, "users": users, "asyncapi": asyncapi}


if __name__ == "__main__":
    sys.exit(tally.main("contracts", TESTS, sys.argv[1:], Run, bare=("asyncapi",)))
