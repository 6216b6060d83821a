"""mistakes - broken configurations, one per kind: what `peakline check` must say of each.

Each message names the file and line, the setting's path, what was found there, and what would be
accepted.  The table was written from what README and `check` say, before the validator was read.
"""
import concurrent.futures
import os
import re
import subprocess

import secured
from tally import check

PEAKLINE = os.environ.get("PEAKLINE", os.path.join(secured.ROOT, "build", "peakline"))

# name: (the file, the line of the mistake, what the message must hold besides).
OFFLINE = {
    "syntax": ("kafka:\n  brokers: localhost:9092\n  group: [a\nredis:\n",
               4, ["not YAML", "did not find"]),     # where the list should have ended
    "tab": ("kafka:\n\tgroup: a\n", 2, ["tab|token|character", "space|indent|start any token"]),
    "type-duration": ("checkpoint:\n  interval: soon\n",
                      2, [r"checkpoint\.interval", "soon", r"\d+ ?(ms|s|m|h)\b"]),
    "type-integer": ("redis:\n  connections: four\n",
                     2, [r"redis\.connections", "four", "number|integer", "1 to 16"]),
    "type-bytes": ("kafka:\n  buffer: 10 potatoes\n",
                   2, [r"kafka\.buffer", "10 potatoes", "MiB"]),
    "type-bool": ("clock:\n  idle_advance: yess\n",
                  2, [r"clock\.idle_advance", "yess", "true.*false"]),
    "type-real": ("model:\n  shrink: ten\n", 2, [r"model\.shrink", "ten", "number", "0.1 to 1000"]),
    "fraction": ("redis:\n  connections: 2.5\n", 2, [r"redis\.connections", r"2\.5", "1 to 16"]),
    "range-above": ("redis:\n  connections: 99\n", 2, [r"redis\.connections", "99", "1 to 16"]),
    "range-below": ("checkpoint:\n  interval: 1ms\n",
                    2, [r"checkpoint\.interval", "1ms", "10ms to (1m|60s)"]),
    "negative": ("redis:\n  database: -1\n", 2, [r"redis\.database", "-1", "0 to 1024"]),
    "overflow": ("redis:\n  database: 99999999999999999999999\n",
                 2, [r"redis\.database", "99999999999999999999999", "0 to 1024"]),
    "choice": ("clock:\n  mode: kafak\n", 2, [r"clock\.mode", "kafak", "kafka.*event"]),
    "unknown-key": ("kafka:\n  broker: localhost:9092\n",
                    2, [r"kafka\.broker\b", r"kafka\.brokers"]),
    "unknown-section": ("kafak:\n  brokers: localhost:9092\n", 1, ["kafak", r"\bkafka\b"]),
    "unknown-detector": ("detectors:\n  misroutd: {enabled: false}\n",
                         2, [r"detectors\.misroutd", r"detectors\.misrouted"]),
    "unknown-threshold": ("detectors:\n  uncollected: {warning_aftr: 1h}\n",
                          2, [r"uncollected\.warning_aftr", r"uncollected\.warning_after"]),
    "unknown-rdkafka": ("rdkafka:\n  securty.protocol: SASL_SSL\n",
                        2, [r"rdkafka\.securty\.protocol", r"security\.protocol"]),
    "rdkafka-value": ("rdkafka:\n  security.protocol: SASL_TLS\n",
                      2, [r"rdkafka\.security\.protocol", "SASL_TLS", "(?i)sasl_ssl"]),
    "twice": ("redis:\n  database: 1\nkafka:\n  group: g\nredis:\n  database: 2\n",
              5, ["redis", "twice|already|again", "line 1|:1"]),
    "text-for-section": ("kafka: localhost:9092\n", 1, [r"\bkafka\b", "localhost:9092",
                                                         "settings below|section|mapping"]),
    "section-for-text": ("kafka:\n  group:\n    name: a\n",
                         2, [r"kafka\.group", "settings below", "text"]),
    "list-of-sections": ("kafka:\n  brokers: [{host: a}]\n", 2, [r"kafka\.brokers", "list"]),
    "variable-unset": ("redis:\n  password: ${PEAKLINE_NOT_SET}\n",
                       2, [r"redis\.password", "PEAKLINE_NOT_SET", "environment"]),
    "variable-where-none": ("redis:\n  connections: ${HOME}\n",
                            2, [r"redis\.connections", r"\$\{HOME\}"]),
    "secret-file-missing": ("redis:\n  password: ${file:/nowhere/secret}\n",
                            2, [r"redis\.password", "/nowhere/secret", "No such file"]),
    "thresholds-crossed": ("detectors:\n  never-collected:\n    warning_after: 72h\n"
                           "    critical_after: 24h\n",
                           r"[34]", [r"never-collected", "72h|3d", "24h|1d"]),
    "limits-crossed": ("retention:\n  terminal: 1h\n  linger: 2h\n",
                       r"[23]", [r"retention\.linger", "2h", r"retention\.terminal", "1h"]),
    "brokers-empty": ("kafka:\n  brokers: ''\n", 2, [r"kafka\.brokers", "host:port"]),
    "start": ("kafka:\n  start: yesterday\n",
              2, [r"kafka\.start", "yesterday", "earliest.*latest"]),
    "redis-address": ("redis:\n  address: localhost\n",
                      2, [r"redis\.address", "localhost", "host:port", "unix:"]),
    "http-address": ("http:\n  listen: 127.0.0.1\n",
                     2, [r"http\.listen", r"127\.0\.0\.1", "address:port"]),
    "topics-equal": ("kafka:\n  topics: {alerts: x, etas: x}\n",
                     2, [r"kafka\.topics\.(alerts|etas)", r"\bx\b"]),
    "reference-missing": ("reference:\n  facilities: /nowhere.csv\n",
                          2, [r"reference\.facilities", r"/nowhere\.csv", "No such file"]),
}




def peakline_check(*words, environment=None):
    """(exit status, all it said)"""
    done = subprocess.run([PEAKLINE, "check", *words], capture_output=True, text=True, timeout=90,
                          check=False, stdin=subprocess.DEVNULL, errors="replace",
                          env={"PATH": os.environ["PATH"], **(environment or {})})
    return done.returncode, done.stdout + done.stderr


def complaints(said):
    """What it complains of: lines of an error, not of the settings it prints."""
    return "\n".join(line for line in said.splitlines()
                     if line.startswith(("peakline: ", "FAILED", "        -> ")))


def lacking(said, wanted):
    return [pattern for pattern in wanted if not re.search(pattern, said, re.S)]


def offline(place):
    """twenty and more broken configurations: each message says what is to be known"""
    wrong = []
    for name, (text, line, wanted) in OFFLINE.items():
        file = os.path.join(place.folder, f"{name}.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
        status, said = peakline_check("--config", file)
        told = complaints(said)
        lacks = lacking(told, [rf"{re.escape(file)}:{line}\b", *wanted])
        if status != 78 or lacks:
            wrong.append(f"{name}: exit {status}, lacks {lacks}: {told.strip() or said[-200:]}")
    status, said = peakline_check("--config", "/nowhere.yaml")
    if status != 78 or lacking(said, ["/nowhere.yaml", "No such file"]):
        wrong.append(f"no file: {said}")
    status, said = peakline_check("--set", "redis.password=planted")
    if status != 78 or lacking(said, [r"redis\.password", r"\$\{NAME\}"]) or "planted" in said:
        wrong.append(f"a secret on the command line: {said}")
    check(not wrong, "\n".join(wrong))


# name: (settings that are wrong, what the complaints must hold); exit status 69.
CONNECTED = {
    "kafka-away": ({"kafka.brokers": "127.0.0.1:1"},
                   ["kafka", r"127\.0\.0\.1:1", "refused", r"kafka\.brokers"]),
    "kafka-authority": ({"rdkafka.ssl.ca.location": "OTHER"},
                        ["certificate", r"rdkafka\.ssl\.ca\.location"]),
    "kafka-password": ({"rdkafka.sasl.password": "${WRONG}"},
                       ["(?i)authentication failed", r"sasl\.password"]),
    "kafka-protocol": ({"rdkafka.security.protocol": "PLAINTEXT"},
                       ["(?i)disconnected|failed|SSL", r"rdkafka\.security\.protocol"]),
    "kafka-user": ({"rdkafka.sasl.username": "stranger"}, ["SCANS", "may not be seen", "describe"]),
    "kafka-group": ({"kafka.group": "another"}, ["group another", "Read", r"kafka\.group"]),
    "wrong-topic": ({"kafka.topics.scans": "scnas"},
                    ["scnas", "is not there", "--create --topic scnas"]),
    "redis-away": ({"redis.address": "127.0.0.1:1"},
                   ["redis", r"127\.0\.0\.1:1", "refused", r"redis\.address"]),
    "redis-socket": ({"redis.address": "unix:/nowhere/socket"},
                     ["/nowhere/socket", "No such file", r"redis\.address"]),
    "redis-password": ({"redis.password": "${WRONG}"}, ["WRONGPASS", r"redis\.password"]),
    "redis-none": ({"redis.user": "", "redis.password": ""}, ["NOAUTH", r"redis\.password"]),
    "redis-user": ({"redis.user": "peakline-reader"}, ["redis", "permissions|NOPERM", "HSET"]),
}


def connected(place):
    """servers that are away, unknown users, missing rights, wrong topics: named, with a remedy"""
    wrong, good = [], {**place.settings(place.sasl()), "kafka.group": secured.GROUP,
                       "kafka.topics.scans": place.it.scans,
                       "redis.address": place.it.redis_address,
                       **{f"kafka.topics.{kind}": topic for kind, topic in place.topics.items()}}
    place.it.redis.execute_command("ACL", "SETUSER", "default", ">" + place.password)
    other = os.path.join(place.tls, "stranger.pem")

    def ask(change):
        words = [word for path, value in {**good, **change}.items()
                 for word in ("--set", f"{path}={other if value == 'OTHER' else value}")]
        return peakline_check("--connect", *words, environment={"WRONG": "wrong"})
    try:
        status, said = ask({})
        check(status == 0, f"the right settings are refused: {said[-1500:]}")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:     # most of it is waiting
            answers = list(pool.map(lambda row: ask(row[0]), CONNECTED.values()))
        for (name, (_, wanted)), (status, said) in zip(CONNECTED.items(), answers):
            told = complaints(said)
            lacks = lacking(told, [w.replace("SCANS", place.it.scans) for w in wanted])
            if status != 69 or lacks:
                wrong.append(f"{name}: exit {status}, lacks {lacks}: {told or said[-300:]}")
    finally:
        place.it.redis.execute_command("AUTH", place.password)
        place.it.redis.execute_command("ACL", "SETUSER", "default", "nopass")
    check(not wrong, "\n".join(wrong))
