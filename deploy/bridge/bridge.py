#!/usr/bin/env python3
"""bridge - Peakline's alerts to Alertmanager and to plain webhooks.

    bridge.py --brokers HOST:9092 --state FILE --alertmanager http://HOST:9093
    bridge.py --brokers HOST:9092 --state FILE --webhook https://HOST/PATH

Folds the topic of alerts by id and tells each target what is open, what has changed in it and
that it is over.  What was told stands in FILE (SQLite) beside the offsets it came from, so that a
restart goes on and repeats nothing; only a request whose answer was lost with a crash is made
once more, under the same Idempotency-Key.  An incident that opened and ended while nobody was
told is not told of at all.

Alertmanager forgets what is not repeated: open incidents are sent again every --resend seconds.
A webhook gets the alert's JSON as it stands in the topic, one request a change.
"""
import argparse
import hashlib
import json
import signal
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request

SEVERITIES = ("info", "warning", "critical")
# Of an alert, what says the same when it is told again by another owner after a crash.
ABOUT_THE_TELLER = ("epoch", "topic", "partition", "offset")
LABELS = {"parcel": "parcel", "facility": "facility", "carrier": "carrier", "service": "service",
          "owner": "owner", "severity": "severity", "id": "peakline_id"}
BATCH, PAUSE_S_MAX, KEEP_S = 64, 30, 86400
TABLES = """
CREATE TABLE IF NOT EXISTS offsets(partition INTEGER PRIMARY KEY, next INTEGER);
CREATE TABLE IF NOT EXISTS incidents(id TEXT PRIMARY KEY, epoch INTEGER, sequence INTEGER,
                                     value TEXT, ended REAL);
CREATE TABLE IF NOT EXISTS told(target TEXT, id TEXT, digest TEXT, labels TEXT,
                                PRIMARY KEY(target, id));
CREATE TABLE IF NOT EXISTS pending(target TEXT, id TEXT, PRIMARY KEY(target, id));
"""


def say(text):
    print(f"bridge: {text}", file=sys.stderr, flush=True)


class Refused(Exception):
    """The target does not want this, now or later."""


class State:
    """The fold, and what was told of it to whom: one file.  thread: any, one at a time."""

    def __init__(self, file, targets):
        self.lock = threading.RLock()
        self.db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + TABLES)
        self.targets = targets
        known = {row[0] for row in self.db.execute("SELECT DISTINCT target FROM told")}
        for target in set(targets) - known:      # a new one is told all that is open
            self.db.execute("INSERT OR IGNORE INTO pending SELECT ?, id FROM incidents "
                            "WHERE ended IS NULL", (target,))

    def offsets(self):
        return dict(self.db.execute("SELECT partition, next FROM offsets"))

    def take(self, messages):
        """Folds them and keeps where they end, or nothing of both."""
        with self.lock:
            self.db.execute("BEGIN")
            for partition, offset, value in messages:
                self.fold(value)
                self.db.execute("INSERT OR REPLACE INTO offsets VALUES(?, ?)",
                                (partition, offset + 1))
            self.db.execute("COMMIT")

    def fold(self, text):
        try:
            change = json.loads(text)
            newest = change["epoch"], change["sequence"]
            ended = time.time() if change["state"] == "RESOLVED" else None
            key = change["id"]
        except (ValueError, KeyError, TypeError) as error:
            say(f"not an alert, left out: {error!r}")
            return
        before = self.db.execute("SELECT epoch, sequence FROM incidents WHERE id = ?",
                                 (key,)).fetchone()
        if before and tuple(before) >= newest:
            return
        self.db.execute("INSERT OR REPLACE INTO incidents VALUES(?, ?, ?, ?, ?)",
                        (key, *newest, json.dumps(change), ended))
        self.db.executemany("INSERT OR IGNORE INTO pending VALUES(?, ?)",
                            [(target, key) for target in self.targets])

    def pending(self, target, limit):
        """[(alert, digest told, labels told)]"""
        with self.lock:
            rows = self.db.execute(
                "SELECT i.value, t.digest, t.labels FROM pending p JOIN incidents i ON i.id = p.id "
                "LEFT JOIN told t ON t.target = p.target AND t.id = p.id "
                "WHERE p.target = ? ORDER BY i.rowid LIMIT ?", (target, limit)).fetchall()
        return [(json.loads(value), told, json.loads(labels or "null"))
                for value, told, labels in rows]

    def open_told(self, target):
        with self.lock:
            rows = self.db.execute(
                "SELECT i.value FROM told t JOIN incidents i ON i.id = t.id "
                "WHERE t.target = ? AND i.ended IS NULL", (target,)).fetchall()
        return [json.loads(value) for value, in rows]

    def settle(self, target, alerts, labels=None):
        """The target knows these changes, or need not know them."""
        with self.lock:
            self.db.execute("BEGIN")
            for alert in alerts:
                newest = self.db.execute("SELECT epoch, sequence FROM incidents WHERE id = ?",
                                         (alert["id"],)).fetchone()
                if labels is not None:
                    self.db.execute("INSERT OR REPLACE INTO told VALUES(?, ?, ?, ?)",
                                    (target, alert["id"], digest(alert), json.dumps(labels(alert))))
                if newest is None or tuple(newest) == (alert["epoch"], alert["sequence"]):
                    self.db.execute("DELETE FROM pending WHERE target = ? AND id = ?",
                                    (target, alert["id"]))
            self.db.execute("COMMIT")

    def forget(self):
        """What ended a day ago, and everybody knows: no repeat of it comes any more."""
        with self.lock:
            self.db.execute("BEGIN")
            self.db.execute("DELETE FROM incidents WHERE ended < ? AND id NOT IN "
                            "(SELECT id FROM pending)", (time.time() - KEEP_S,))
            self.db.execute("DELETE FROM told WHERE id NOT IN (SELECT id FROM incidents)")
            self.db.execute("COMMIT")


def utc(at_s):
    """As the topic writes times, so that texts compare as times do."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s)) + ".000Z"


def digest(alert):
    same = {name: value for name, value in alert.items() if name not in ABOUT_THE_TELLER}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


# ── Targets: each is told by a thread of its own, so that none waits for another ─────────────

class Target(threading.Thread):
    """Tells what is pending, in order; tries again until it is taken."""

    def __init__(self, url, options):
        super().__init__(name=url, daemon=True)
        self.url, self.options = url, options
        self.state, self.stopping = None, threading.Event()
        self.pause_s, self.told, self.refused = 0, 0, 0

    def post(self, url, body, headers):
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST", headers={
            "Content-Type": "application/json", **self.options.headers, **headers})
        try:
            with urllib.request.urlopen(request, timeout=self.options.timeout) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if 400 <= error.code < 500 and error.code not in (401, 403, 404, 408, 429):
                    raise Refused(f"{error.code}: {error.read(200)!r}") from None
            raise

    def wanted(self, alert, told):
        """Is this one to be told?"""
        if told is None and alert["state"] == "RESOLVED":
            return False            # nobody knew
        if told == digest(alert):
            return False            # said again by another owner
        return told is not None or (SEVERITIES.index(alert["severity"])
                                    >= SEVERITIES.index(self.options.severity))

    def turn(self):
        """Tells a handful.  Whether there was any."""
        rows = self.state.pending(self.url, BATCH)
        known = [alert for alert, told, _ in rows if not self.wanted(alert, told)]
        if known:
            self.state.settle(self.url, known)
        self.tell([row for row in rows if row[0] not in known])
        return bool(rows)

    def run(self):
        while not self.stopping.is_set():
            try:
                busy = self.turn()
                if self.pause_s:
                    say(f"{self.url} takes again")
                self.pause_s = 0
            except OSError as error:        # also urllib's
                if not self.pause_s:
                    say(f"{self.url}: {error}; trying again")
                self.pause_s = min(max(0.2, self.pause_s * 2), PAUSE_S_MAX)
                busy = False
            if not busy:
                self.stopping.wait(max(self.pause_s, 0.2))

    def stop(self):
        self.stopping.set()
        self.join(self.options.timeout + 5)


class Webhook(Target):
    """One request a change, the alert as it is."""

    def tell(self, rows):
        for alert, _, _ in rows:
            if self.stopping.is_set():
                return
            try:
                self.post(self.url, alert, {
                    "Idempotency-Key": f"{alert['id']}-{digest(alert)[:16]}"})
                self.told += 1
            except Refused as error:
                say(f"{self.url} refuses {alert['id']}: {error}")
                self.refused += 1
            self.state.settle(self.url, [alert], lambda _: {})


class Alertmanager(Target):
    """Its v2 API: an alert is its labels, open until its endsAt."""

    def __init__(self, url, options):
        super().__init__(url, options)
        self.sent_at = 0

    def turn(self):
        if time.monotonic() - self.sent_at > self.options.resend:
            self.send([self.form(alert) for alert in self.state.open_told(self.url)])
            self.sent_at = time.monotonic()
        return super().turn()

    def tell(self, rows):
        if not rows:
            return
        forms = []
        for alert, _, labels in rows:
            if labels and labels != self.labels(alert):     # the severity changed: another alert
                forms.append({**self.form(alert, over=True), "labels": labels})
            forms.append(self.form(alert))
        self.send(forms)
        self.told += len(rows)
        self.state.settle(self.url, [alert for alert, _, _ in rows], self.labels)

    def send(self, forms):
        for begin in range(0, len(forms), BATCH):
            part = forms[begin:begin + BATCH]
            try:
                self.post(f"{self.url}/api/v2/alerts", part, {})
            except Refused as error:        # one that it can't read must not hold up the others
                if len(part) > 1:
                    for one in part:
                        self.send([one])
                    continue
                say(f"{self.url} refuses {part[0]['labels']}: {error}")
                self.refused += 1

    @staticmethod
    def labels(alert):
        return {"alertname": alert["type"], "job": "peakline",
                **{label: alert[name] for name, label in LABELS.items() if alert.get(name)}}

    def form(self, alert, over=False):
        now = time.time()
        until = now if over or alert["state"] == "RESOLVED" else now + 4 * self.options.resend + 60
        # An event's time may lie ahead (a device's clock); an alert's may not.
        begun = min(alert.get("opened_at") or alert["at"], utc(now - 1))
        return {"labels": self.labels(alert), "annotations": {
                    "summary": alert["text"], "action": alert["action"],
                    **({"deadline": alert["deadline"]} if alert.get("deadline") else {})},
                "startsAt": begun, "endsAt": utc(until)}


# ── Kafka ────────────────────────────────────────────────────────────────────

def consumer_of(options):
    from confluent_kafka import Consumer
    settings = {"bootstrap.servers": options.brokers, "group.id": options.group,
                "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    if options.kafka_config:
        with open(options.kafka_config, encoding="utf-8") as lines:
            settings.update(line.strip().split("=", 1) for line in lines
                            if line.strip() and not line.startswith("#"))
    return Consumer(settings)


def assign(consumer, topic, offsets):
    """All partitions, each from where the state ends; how many."""
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition
    found = consumer.list_topics(topic, timeout=20).topics[topic]
    if found.error is not None:
        raise RuntimeError(f"topic {topic}: {found.error}")
    consumer.assign([TopicPartition(topic, p, offsets.get(p, OFFSET_BEGINNING))
                     for p in found.partitions])
    return len(found.partitions)


def read(consumer, options, state, stopping):
    count, looked = assign(consumer, options.topic, state.offsets()), time.monotonic()
    say(f"{options.topic}: {count} partitions, {sum(state.offsets().values())} records before")
    while not stopping.is_set():
        messages = [m for m in consumer.consume(500, 0.5) if report(m)]
        if messages:
            state.take([(m.partition(), m.offset(), m.value()) for m in messages
                        if m.value() is not None])
        if time.monotonic() - looked > 60:
            looked = time.monotonic()
            state.forget()
            if len(consumer.list_topics(options.topic, timeout=20)
                   .topics[options.topic].partitions) != count:
                count = assign(consumer, options.topic, state.offsets())
    consumer.close()


def report(message):
    if message.error() is not None:
        say(f"Kafka: {message.error()}")
    return message.error() is None


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", default="alerts")
    parser.add_argument("--group", default="peakline-bridge",
                        help="a name for ACLs and quotas; offsets stand in the state")
    parser.add_argument("--kafka-config", metavar="FILE",
                        help="librdkafka's settings, name=value a line: TLS, SASL, passwords")
    parser.add_argument("--state", required=True, metavar="FILE", help="made when it is not there")
    parser.add_argument("--alertmanager", action="append", default=[], metavar="URL")
    parser.add_argument("--webhook", action="append", default=[], metavar="URL")
    parser.add_argument("--token-file", metavar="FILE", help="Authorization: Bearer, for targets")
    parser.add_argument("--severity", choices=SEVERITIES, default="info",
                        help="incidents below it are not told of until they reach it")
    parser.add_argument("--resend", type=float, default=60, metavar="S")
    parser.add_argument("--timeout", type=float, default=10, metavar="S")
    options = parser.parse_args(words)
    if not options.alertmanager and not options.webhook:
        parser.error("say whom to tell: --alertmanager URL or --webhook URL")
    options.headers = {}
    if options.token_file:
        with open(options.token_file, encoding="utf-8") as text:
            options.headers["Authorization"] = f"Bearer {text.read().strip()}"
    return options


def main(words):
    options, stopping = parse(words), threading.Event()
    targets = [Alertmanager(url.rstrip("/"), options) for url in options.alertmanager] + \
        [Webhook(url, options) for url in options.webhook]
    state = State(options.state, [target.url for target in targets])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    for target in targets:
        target.state = state
        target.start()
    try:
        read(consumer_of(options), options, state, stopping)
    finally:
        for target in targets:
            target.stop()
            say(f"{target.url}: {target.told} told, {target.refused} refused")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
