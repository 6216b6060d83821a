#!/usr/bin/env python3
"""incidents - what is wrong now: alerts folded by id, and up to when that is complete.

    incidents.py BROKERS [ALERTS-TOPIC [PROGRESS-TOPIC]]

Reads both topics from their beginning to their present end and prints what is open (package
confluent-kafka).  After a crash some alerts come again, with the same id and sequence: the
highest (epoch, sequence) of an id is what counts.
"""
import json
import sys


class Incidents:
    """The fold.  Feed it values in any interleaving of partitions."""

    def __init__(self):
        self.alerts = {}        # id → its newest change
        self.progress = {}      # partition → its newest report

    def alert(self, value):
        """True when it said something new."""
        change = json.loads(value)
        before = self.alerts.get(change["id"])
        if before and newer(before) >= newer(change):
            return False
        self.alerts[change["id"]] = change
        return True

    def told(self, value):
        report = json.loads(value)
        before = self.progress.get(report["partition"])
        if not before or (before["epoch"], before["offset"]) <= (report["epoch"],
                                                                 report["offset"]):
            self.progress[report["partition"]] = report

    def open(self):
        return [a for a in self.alerts.values() if a["state"] != "RESOLVED"]

    def complete_to(self):
        """Alerts are complete up to the slowest partition's clock; None = nobody said."""
        return min((p.get("clock", "") for p in self.progress.values()), default=None)


def newer(change):
    return change["epoch"], change["sequence"]


def read_to_end(brokers, topic, take):
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "incidents-example",
                         "enable.auto.commit": False, "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    left = set(partitions)
    while left:
        message = consumer.poll(20)
        if message is None:
            raise TimeoutError(f"{topic}: no answer from {brokers}")
        if message.error() is None:
            take(message.value())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            left.discard(message.partition())
        else:
            raise RuntimeError(message.error())
    consumer.close()


def main(brokers, alerts="alerts", progress="progress"):
    incidents = Incidents()
    read_to_end(brokers, progress, incidents.told)
    read_to_end(brokers, alerts, incidents.alert)
    for alert in sorted(incidents.open(), key=lambda a: a["at"]):
        print(f"{alert['severity']:9} {alert['parcel']:20} {alert['text']}")
    print(f"{len(incidents.open())} open of {len(incidents.alerts)}, "
          f"complete to {incidents.complete_to()}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
