"""oracle - what Redis and the output topics should hold, recomputed from the input topic.

Reads everything, folds it with fold.py, unpacks what is stored with record.py, and names
each difference.  It knows nothing of the product but what its outputs promise.
"""
import collections
import json
import time
import uuid

from confluent_kafka import Consumer, KafkaError, TopicPartition

import fold
import record

BROKER_TAKES = 900000    # a client's default limit, less what it adds to a message
SHOWN = 5       # differences of a kind that are printed

Message = collections.namedtuple("Message", "partition offset key value headers at_ms")


def read_topic(brokers, topic):
    """All messages of a topic, by partition and in order."""
    consumer = Consumer({"log_level": 2, "bootstrap.servers": brokers,
                         "group.id": f"oracle-{uuid.uuid4()}",
                         "enable.auto.commit": False, "auto.offset.reset": "earliest",
                         "enable.partition.eof": True, "fetch.message.max.bytes": 4000000})
    partitions = sorted(consumer.list_topics(topic, 20).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    found, ended = {p: [] for p in partitions}, set()
    until = time.monotonic() + 120
    while len(ended) < len(partitions) and time.monotonic() < until:
        for message in consumer.consume(10000, 0.2):
            error = message.error()
            if error is None:
                found[message.partition()].append(Message(
                    message.partition(), message.offset(), message.key(), message.value(),
                    message.headers() or [], message.timestamp()[1]))
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    if len(ended) < len(partitions):
        raise RuntimeError(f"{topic}: not read to its end within 120 s")
    return found


def pairs(hash_):
    return {k.decode(): v for k, v in hash_.items()}


class View:
    """What Redis holds of one partition."""

    def __init__(self, redis, tag):
        self.tag = tag
        self.mark = record.mark(redis.get(f"{tag}:mark").decode())
        names = pairs(redis.hgetall(f"{tag}:names"))
        self.names = {int(k[2:]): v.decode() for k, v in names.items() if k[:2] == "p:"}
        self.services = {int(k[2:]): v.decode() for k, v in names.items() if k[:2] == "s:"}
        self.open = {k: json.loads(v) for k, v in pairs(redis.hgetall(f"{tag}:open")).items()}
        self.carrier = {k: v.decode() for k, v in pairs(redis.hgetall(f"{tag}:carrier")).items()}
        self.model = redis.hgetall(f"{tag}:model")
        self.packed, self.bucket = {}, {}
        pipe = redis.pipeline(transaction=False)
        for bucket in range(self.mark["buckets"]):
            pipe.hgetall(f"{tag}:b{bucket:08x}")
        for bucket, content in enumerate(pipe.execute()):
            for number, packed in content.items():
                self.packed[number.decode()] = packed
                self.bucket[number.decode()] = bucket
        self.records, self.unreadable = {}, []
        for number, packed in self.packed.items():
            try:
                self.records[number] = record.unpack(packed)
            except ValueError as error:
                self.unreadable.append(f"{number}: {error}")


class Oracle:
    """One comparison.  compare() prints what was compared and returns the differences."""

    def __init__(self, stand, group):
        self.stand, self.group = stand, group
        self.brokers, self.outputs = stand.broker.address, stand.outputs(group)
        self.differences = collections.Counter()
        self.examples = collections.defaultdict(list)
        self.compared = collections.Counter()
        self.lost = self.invented = 0   # scans and dead letters
        self.told = []                  # (what, id, epoch, partition, at_ms), as it was sent

    # Saying what is wrong.

    def same(self, what, expected, found, where=""):
        """Counts a comparison; names it when it fails."""
        self.compared[what] += 1
        if expected != found:
            self.wrong(what, f"{where}: expected {expected!r}, found {found!r}")

    def holds(self, what, true, where=""):
        self.compared[what] += 1
        if not true:
            self.wrong(what, where)

    def wrong(self, what, text):
        self.differences[what] += 1
        if len(self.examples[what]) < SHOWN:
            self.examples[what].append(text[:600])

    def report(self):
        lines = []
        for what, count in self.compared.items():
            lines.append(f"compared {count:8} {what}" + (
                f": {self.differences[what]} DIFFER" if self.differences[what] else ""))
            lines += [f"         {example}" for example in self.examples[what]]
        return "\n".join(lines)

    # The comparison.

    def compare(self, counters=None):
        """counters: the instance's metrics, where one instance has read the whole log once."""
        log = {p: self.stand.archive.get(p, []) + messages
               for p, messages in read_topic(self.brokers, self.stand.scans).items()
               if p < self.stand.partitions}
        self.views = {p: self.settled_view(p) for p in log}
        self.folds = {p: self.fold_partition(p, log) for p in log}
        for partition, view in self.views.items():
            self.compare_mark(view, log[partition], len(log))
            self.compare_records(view, self.folds[partition])
            self.compare_carriers(view, self.folds[partition])
        if counters is not None:
            self.compare_counters(counters, log)
        self.compare_alerts(read_topic(self.brokers, self.outputs["alerts"]))
        self.compare_etas(read_topic(self.brokers, self.outputs["etas"]))
        self.compare_dead_letters(log)
        self.compare_progress()
        self.compare_commits()
        return sum(self.differences.values())

    def settled_view(self, partition):
        """The view once no alert waits to be sent."""
        for _ in range(20):
            view = View(self.stand.redis, self.stand.key(self.group, partition, "")[:-1])
            waiting = [n for n, r in view.records.items() if r.unsent]
            if not waiting:
                break
            time.sleep(0.5)
        self.same("alerts that wait to be sent", [], waiting[:SHOWN], f"partition {partition}")
        return view

    def fold_partition(self, partition, log):
        """What was read under each count of partitions, in turn: of what an older count had in
        other partitions, that which is at home here now."""
        numbers = {text: number for number, text in self.views[partition].names.items()}
        folded = fold.Partition(rank=lambda place: numbers.get(place, 0) if place else 0)
        for count, parts in self.stand.eras + [(len(log), {partition: self.stand.goes_on(
                partition)})]:
            for source, (first, end) in parts.items():
                folded.home = lambda number, s=source, n=count: \
                    record.murmur2(number.encode()) % n == s
                for m in log[source]:
                    mine = end is None or record.murmur2(m.key or b"") % len(log) == partition
                    if mine and m.offset >= first and (end is None or m.offset < end):
                        folded.message((source, m.offset), m.key, m.value, m.at_ms)
        return folded

    def compare_mark(self, view, messages, partitions):
        mark, last = view.mark, messages[-1] if messages else None
        self.same("marks: offset", last.offset + 1 if last else 0, mark["offset"], view.tag)
        self.same("marks: partitions", partitions, mark["partitions"], view.tag)
        self.same("marks: records", len(view.packed), mark["records"], view.tag)
        if last is not None:
            self.same("marks: timestamp of the last record", last.at_ms, mark["kafka_ms"],
                      view.tag)
            self.same("marks: key hash of the last record", record.murmur2(last.key or b""),
                      mark["home"], view.tag)
        texts = list(view.names.values())
        self.holds("dictionaries", len(texts) == len(set(texts)), f"{view.tag}: a text twice")

    def compare_records(self, view, folded):
        for text in view.unreadable:
            self.wrong("records", text)
        for number in sorted(folded.parcels.keys() | view.records.keys()):
            found, parcel = view.records.get(number), folded.parcels.get(number)
            if found is None or parcel is None:
                self.lost += len(parcel.history) if parcel else 0
                self.invented += len(found.history) if found else 0
                self.same("records", parcel and (parcel.life, parcel.state),
                          found and (found.life, fold.STATES[found.state]), number)
                continue
            self.compared["records"] += 1
            self.compare_record(view, number, parcel, found)
            bucket = record.murmur2(number.encode()) // view.mark["partitions"] % \
                view.mark["buckets"]
            self.same("records: bucket", bucket, view.bucket[number], number)

    def compare_record(self, view, number, parcel, found):
        self.same("records: number", parcel.number, found.number, number)
        self.same("records: life", parcel.life, found.life, number)
        self.same("records: state", parcel.state, fold.STATES[found.state], number)
        if parcel.state != "unknown":
            self.same("records: state's time", parcel.state_s, found.state_s, number)
        self.same("records: tombstone", False, found.tombstone, number)
        expected = [(e.at_s, e.place, e.code, e.retracts, e.merged) for e in parcel.history]
        entries = [(at, view.names.get(place, ""), code, retracts, merged)
                   for at, place, code, retracts, merged in found.history]
        self.same("records: history", expected, entries, number)
        self.lost += len(set(expected) - set(entries))
        self.invented += len(set(entries) - set(expected))
        self.same("records: attempts", min(parcel.attempts, 255), found.attempts, number)
        for name in ("at", "next", "origin", "dest", "carrier"):
            self.same(f"records: {name}", getattr(parcel, name),
                      view.names.get(getattr(found, name), ""), number)
        self.same("records: service", parcel.service, view.services.get(found.service, ""), number)
        self.same("records: promise", parcel.promise_s, found.promise_s, number)
        self.same("records: weights, courier", parcel.facts,
                  {name: found.facts[name] for name in fold.FACTS if name in found.facts}, number)
        self.same("records: carrier's number", parcel.carrier_number, found.carrier_number, number)

    def compare_carriers(self, view, folded):
        for number, parcel in folded.parcels.items():
            if parcel.carrier_number:
                owner = view.carrier.get(parcel.carrier_number)
                self.holds("carrier numbers", owner is not None, f"{parcel.carrier_number}")
                if owner == number or owner is None:
                    continue
                other = folded.parcels.get(owner)   # two parcels may bear one
                self.holds("carrier numbers", other is not None, parcel.carrier_number)

    def compare_counters(self, counters, log):
        total = collections.Counter()
        for folded in self.folds.values():
            total.update(folded.counts)
        for kind, name in (("effective", "peakline_scans_effective_total"),
                           ("merged", "peakline_scans_merged_total"),
                           ("duplicate", "peakline_scans_duplicate_total"),
                           ("skipped", "peakline_scans_skipped_total"),
                           ("dead", "peakline_dead_letters_total")):
            self.same("counters", total[kind], int(counters.get(name, 0)), name)
        count = sum(len(messages) for messages in log.values())
        self.same("counters", count, sum(total.values()), "the fold's own")

    # Alerts: each id a story that begins with OPENED and ends as the index says.

    def compare_alerts(self, topic):
        self.changes = collections.defaultdict(dict)    # id → sequence → (epoch, value)
        last = {}
        for messages in topic.values():
            for message in messages:
                value = json.loads(message.value)
                self.compare_envelope(message, value)
                ident, epoch, sequence = value["id"], value["epoch"], value["sequence"]
                self.holds("alerts: sequence rises", last.get((ident, epoch), 0) < sequence,
                           f"{ident}: {last.get((ident, epoch))} then {sequence} in {epoch}")
                last[ident, epoch] = sequence
                self.told.append(("alert", (ident, sequence), epoch, value["partition"],
                                  message.at_ms))
                before = self.changes[ident].get(sequence)
                if before is not None:      # a repeat after a crash says the same
                    for name in ("type", "state", "severity", "parcel", "life", "at"):
                        self.same("alerts: repeats agree", before[1].get(name), value.get(name),
                                  f"{ident}-{sequence} {name}")
                if before is None or before[0] < epoch:
                    self.changes[ident][sequence] = (epoch, value)
        for ident, changes in self.changes.items():
            self.compare_story(ident, [changes[s][1] for s in sorted(changes)])
        self.compare_open()

    def compare_envelope(self, message, value):
        headers = {name: (text or b"").decode("utf-8", "replace") for name, text in message.headers}
        where = f"{value['id']}-{value['sequence']}"
        self.same("alerts: key", value["parcel"], message.key.decode(), where)
        for name, expected in (
                ("ce_specversion", "1.0"), ("ce_id", where), ("ce_subject", value["parcel"]),
                ("content-type", "application/json"), ("type", value["type"]),
                ("state", value["state"]), ("severity", value["severity"]),
                ("epoch", str(value["epoch"]))):
            self.same("alerts: headers", expected, headers.get(name), f"{where} {name}")
        self.holds("alerts: sentence", value["text"] and "{" not in value["text"], value["text"])

    def compare_story(self, ident, story):
        states = [value["state"] for value in story]
        self.same("alerts: none lost", list(range(1, len(story) + 1)),
                  [value["sequence"] for value in story], f"{ident} {story[0]['type']}")
        open_ = False
        for state in states:
            good = state == "OPENED" and not open_ or state != "OPENED" and open_
            self.holds("alerts: OPENED … RESOLVED", good, f"{ident} {story[0]['type']}: {states}")
            open_ = state != "RESOLVED"

    def compare_open(self):
        folded = {ident: changes[max(changes)][1] for ident, changes in self.changes.items()}
        for partition, view in self.views.items():
            stored = {ident: value["sequence"] for ident, value in view.open.items()}
            expected = {ident: value["sequence"] for ident, value in folded.items()
                        if value["state"] != "RESOLVED" and partition ==
                        record.murmur2(value["parcel"].encode()) % len(self.views)}
            for ident in sorted(stored.keys() | expected.keys()):
                about = folded.get(ident) or view.open.get(ident)
                self.same("open alerts: the index and the topic", expected.get(ident),
                          stored.get(ident), f"{ident} {about['type']} {about['parcel']}")
            inside = {a["id"] for r in view.records.values() for a in r.alerts if a["state"] != 3}
            for ident in sorted(inside | stored.keys()):
                about = folded.get(ident) or view.open.get(ident) or {}
                self.same("open alerts: the index and the records", ident in inside,
                          ident in stored, f"{ident} {about.get('type')} {about.get('parcel')}")

    def compare_etas(self, topic):
        last = {}
        for messages in topic.values():
            for message in messages:
                value = json.loads(message.value)
                self.same("etas: key", value["parcel"], message.key.decode())
                about = value["parcel"], value["life"], value["epoch"]
                self.holds("etas: sequence rises", last.get(about, 0) < value["sequence"],
                           f"{about}: {last.get(about)} then {value['sequence']}")
                last[about] = value["sequence"]
                self.told.append(("eta", (*about[:2], value["sequence"]), value["epoch"],
                                  record.murmur2(message.key) % len(self.views), message.at_ms))
                self.holds("etas: P50 is not after P90", not value.get("p50") or
                           value["p50"] <= value["p90"], json.dumps(value))

    # Dead letters: each once or more, unchanged, and nothing else.

    def compare_dead_letters(self, log):
        expected = {where: reason for folded in self.folds.values()
                    for where, reason in folded.rejects.items()}
        originals = {(m.partition, m.offset): m for messages in log.values() for m in messages}
        found = set()
        for messages in read_topic(self.brokers, self.outputs["dead_letters"]).values():
            for message in messages:
                headers = dict(message.headers)
                where = (int(headers.get("source-partition", b"-1")),
                         int(headers.get("source-offset", b"-1")))
                found.add(where)
                self.same("dead letters: reason", expected.get(where),
                          headers.get("reason", b"").decode(), str(where))
                self.same("dead letters: topic", self.stand.scans.encode(),
                          headers.get("source-topic"), str(where))
                original = originals.get(where)
                if original is None:
                    continue
                wanted = dict(original.headers).get("peakload-expect")
                if wanted is not None:      # what the generator meant by it
                    self.same("dead letters: reason meant", wanted, headers.get("reason"),
                              str(where))
                whole = original.value
                if "truncated" in headers:      # of what no broker here would take as it is
                    self.holds("dead letters: cut", len(whole) > BROKER_TAKES, str(where))
                    whole = whole[:len(message.value)]
                self.holds("dead letters: bytes", whole == message.value,
                           f"{where}: {len(original.value)} bytes, {len(message.value)} here: "
                           f"{message.value[:60]!r}…")
                self.same("dead letters: key", original.key, message.key, str(where))
                rest = [h for h in message.headers if h in original.headers]
                self.same("dead letters: headers", original.headers, rest, str(where))
        self.lost += len(expected.keys() - found)
        self.invented += len(found - expected.keys())
        for where in sorted(expected.keys() | found):
            self.same("dead letters", expected.get(where), expected.get(where)
                      if where in found else None, str(where))

    def repeats(self):
        """(alerts and ETAs sent more than once, how far before its sender's end the oldest of
        them was first sent, in seconds): what a successor had to read again."""
        first, ended, count, reach_ms = {}, {}, 0, 0
        for _, _, epoch, partition, at_ms in self.told:
            ended[epoch, partition] = max(ended.get((epoch, partition), 0), at_ms)
        for what, ident, epoch, partition, at_ms in sorted(self.told, key=lambda t: t[4]):
            known = first.setdefault((what, ident), (epoch, at_ms))
            if known[0] != epoch:
                count += 1
                reach_ms = max(reach_ms, ended[known[0], partition] - known[1])
        return count, reach_ms / 1000

    # What others see of the position.

    def compare_progress(self):
        last = {}
        for messages in read_topic(self.brokers, self.outputs["progress"]).values():
            for message in messages:
                value = json.loads(message.value)
                self.same("progress: key", str(value["partition"]), message.key.decode())
                place = value["epoch"], value["offset"]
                self.holds("progress: never back", last.get(value["partition"], (0, 0)) <= place,
                           f"{value['partition']}: {last.get(value['partition'])} then {place}")
                last[value["partition"]] = place
        for partition, view in self.views.items():
            stored = view.mark["epoch"], view.mark["offset"]
            self.holds("progress: not ahead of Redis", last.get(partition, (0, 0)) <= stored,
                       f"{partition}: {last.get(partition)} of {stored}")
            self.holds("progress: told", partition in last, f"{partition}: never")

    def compare_commits(self):
        consumer = Consumer({"log_level": 2, "bootstrap.servers": self.brokers,
                             "group.id": self.group})
        committed = consumer.committed([TopicPartition(self.stand.scans, p) for p in self.views],
                                       timeout=20)
        consumer.close()
        for place in committed:
            mark = self.views[place.partition].mark
            self.holds("commits: not ahead of Redis", 0 <= place.offset <= mark["offset"],
                       f"{place.partition}: {place.offset} of {mark['offset']}")
            try:
                metadata = place.metadata or ""
            except UnicodeDecodeError as error:     # the client reads on beyond its end
                metadata = error.object.decode("utf-8", "ignore")
            self.holds("commits: metadata", metadata.startswith("peakline "),
                       f"{place.partition}: {metadata!r}")


# ── Two runs over one log ────────────────────────────────────────────────────

def state_of(views):
    """All that is stored, without what names the writer: for runs that must end alike."""
    state = {}
    for partition, view in views.items():
        mark = {k: v for k, v in view.mark.items() if k not in ("epoch", "owner", "sequence")}
        state[partition, "mark"] = mark
        state.update({(partition, "record", n): p for n, p in view.packed.items()})
        state.update({(partition, "name", n): t for n, t in view.names.items()})
        state.update({(partition, "service", n): t for n, t in view.services.items()})
        state.update({(partition, "carrier", n): t for n, t in view.carrier.items()})
        state.update({(partition, "model", n): t for n, t in view.model.items()})
        for ident, value in view.open.items():
            state[partition, "open", ident] = {k: v for k, v in value.items() if k != "epoch"}
    return state


def alerts_of(changes):
    """id → its last change, without the epoch."""
    return {ident: {k: v for k, v in stories[max(stories)][1].items() if k != "epoch"}
            for ident, stories in changes.items()}


def difference(one, other):
    """(count, first few) of what two dictionaries do not share."""
    keys = [k for k in one.keys() | other.keys() if one.get(k) != other.get(k)]
    keys.sort(key=str)
    return len(keys), [f"{k}: {show(one.get(k))} / {show(other.get(k))}" for k in keys[:SHOWN]]


def show(value):
    if isinstance(value, bytes) and len(value) > 12:
        try:
            return str(record.unpack(value))[:900]
        except ValueError:
            return value.hex()[:200]
    return str(value)[:400]
