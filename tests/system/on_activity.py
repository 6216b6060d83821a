"""on_activity - counts by the minute, and the rules that watch them."""
import json
import subprocess
import time

import oracle
import stand
import traffic
import trial

EVERY_S = 5                     # a scan at each of two hubs: 12 a minute
PARCELS = 400                   # so many that none comes twice within ten minutes
HOUR = 3600


def scans(began, ends, silent):
    """INFO of parcels at two hubs; between the `silent` moments nothing comes from PVG."""
    for n, at_s in enumerate(range(began, ends, EVERY_S)):
        for hub in range(2):
            if hub == 0 and silent[0] <= at_s < silent[1]:
                continue
            number = f"OUT{(2 * n + hub) % PARCELS:05}"
            value = {"parcel": number, "code": "INFO", "time": traffic.rfc3339(at_s),
                     "facility": ("PVG", "HGH")[hub], "carrier": "DHL"}
            yield traffic.Message(number.encode(), json.dumps(value).encode(), at_ms=at_s * 1000)


def last_words(messages):
    """{(minute, subject): events}: of what each source said of a minute, the newest holds."""
    said, found = {}, {}
    for message in messages:
        record = json.loads(message.value)
        place = record["source"], record["share"], record["minute"]
        if place not in said or record["epoch"] >= said[place]["epoch"]:
            said[place] = record
    for (_, _, minute), record in said.items():
        for subject, events, *_ in record["counts"]:
            found[minute, subject] = found.get((minute, subject), 0) + events
    return found


def counts_of(messages):
    """The same, from what was sent."""
    found = {}
    for message in messages:
        facility = json.loads(message.value)["facility"]
        place = traffic.rfc3339(message.at_ms // 60000 * 60), f"facility:{facility}"
        found[place] = found.get(place, 0) + 1
    return found


def outage(new, _):
    """one hub's feed stops on the second day: one alert within 13 minutes, resolved after"""
    it, group = new(), "outage"
    began = int(time.time()) // HOUR * HOUR - 30 * HOUR
    silent = began + 25 * HOUR + 900, began + 25 * HOUR + 2700
    sent = list(scans(began, began + 27 * HOUR, silent))
    settings = {"activity.enabled": "true", "activity.shares": "2"}
    it.produce(sent)
    first = it.start(group, **settings)
    stand.until("a third is stored", 60, lambda: sum(it.offsets(group)) > len(sent) // 3)
    first.kill()
    second = it.start(group, **settings)
    second.finish(120)
    trial.check(second.stop() == 0, "SIGTERM: the exit status is not 0")

    topic = oracle.read_topic(it.broker.address, it.outputs(group)["activity"])
    told = [m for p in sorted(topic) for m in topic[p]]
    over_ms = (began + 27 * HOUR - 180) * 1000     # later minutes may still be open
    counted = last_words(told)
    wanted = counts_of(m for m in sent if m.at_ms < over_ms)
    for (minute, subject), events in wanted.items():
        trial.check(counted.get((minute, subject)) == events,
                    f"{subject} at {minute}: {counted.get((minute, subject))} told, {events} sent")

    done = subprocess.run([stand.PEAKLINE, "activity", "--json", "-"], capture_output=True,
                          timeout=60, input=b"\n".join(m.value for m in told), check=False)
    trial.check(done.returncode == 0, done.stderr[-500:])
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    trial.check([(a["type"], a["subject"], a["state"]) for a in alerts] ==
                [("site-silent", "facility:PVG", "OPENED"),
                 ("site-silent", "facility:PVG", "RESOLVED")], f"told: {alerts}")
    opened, resolved = (alert["at"] for alert in alerts)
    trial.check(traffic.rfc3339(silent[0]) < opened <= traffic.rfc3339(silent[0] + 780),
                f"silent from {traffic.rfc3339(silent[0])}, opened {opened}")
    trial.check(traffic.rfc3339(silent[1]) < resolved <= traffic.rfc3339(silent[1] + 300),
                f"silent until {traffic.rfc3339(silent[1])}, resolved {resolved}")
    print(f"        numbers: {len(sent)} scans, {len(told)} records of counts, "
          f"silent {traffic.rfc3339(silent[0])}, opened {opened}, resolved {resolved}")
