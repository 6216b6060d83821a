"""bridged - deploy/bridge/ between a real topic, a real Alertmanager and a webhook that errs."""
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

from tally import check

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BRIDGE = os.path.join(ROOT, "deploy/bridge/bridge.py")


class Webhook(http.server.ThreadingHTTPServer):
    """Keeps what it is told; answers 503 while it is down, 422 to what it does not want."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies, self.keys, self.down, self.unwanted = [], [], False, None
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):      # pylint: disable=invalid-name
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 503 if self.server.down else 422 if body["id"] == self.server.unwanted else 200
        if status == 200:
            self.server.bodies.append(body)
            self.server.keys.append(self.headers["Idempotency-Key"])
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Alertmanager:
    def __init__(self, folder, port):
        self.url, self.folder = f"http://127.0.0.1:{port}", folder
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        check(program, "no Alertmanager: deploy/packages contracts")
        config = os.path.join(folder, "alertmanager.yml")
        with open(config, "w", encoding="utf-8") as out:
            out.write("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        with open(os.path.join(folder, "alertmanager.log"), "ab") as log:
            self.process = subprocess.Popen(
                [program, f"--config.file={config}", f"--storage.path={folder}/alertmanager",
                 f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def active(self):
        """{peakline_id: labels}; None while it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true",
                                        timeout=5) as answer:
                return {alert["labels"]["peakline_id"]: alert["labels"]
                        for alert in json.load(answer)}
        except OSError:
            return None

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Bridge:
    """The program, as it is started anywhere."""

    def __init__(self, run, topic, folder, *targets):
        self.log = os.path.join(folder, "bridge.log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, BRIDGE, "--brokers", run.broker.address, "--topic", topic,
                 "--state", os.path.join(folder, "state"), "--resend", "2", *targets],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def end(self, how):
        self.process.send_signal(how)
        return self.process.wait(30)


def send(run, topic, changes):
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": run.broker.address, "partitioner": "murmur2"})
    for change in changes:
        producer.produce(topic, json.dumps(change).encode(), change["parcel"].encode())
    check(producer.flush(20) == 0, "the changes were not sent")


def folded(changes):
    """{id: newest}"""
    newest = {}
    for change in changes:
        before = newest.get(change["id"])
        if before is None or (before["epoch"], before["sequence"]) < (change["epoch"],
                                                                      change["sequence"]):
            newest[change["id"]] = change
    return newest


def open_of(changes):
    return {key for key, change in folded(changes).items() if change["state"] != "RESOLVED"}


def bridge(run):
    """the bridge to Alertmanager and a webhook: opens, resolves, retries, repeats nothing"""
    import stand
    folder, topic = os.path.join(run.folder, "bridge"), "bridge-alerts"
    os.makedirs(folder)
    run.broker.create({topic: (4, {})})
    changes = [json.loads(m.value()) for m in run.told["alerts"]][:600]
    webhook, port = Webhook(), stand.free_port()
    manager = Alertmanager(folder, port)
    targets = ("--alertmanager", manager.url, "--webhook", webhook.url)
    started = [Bridge(run, topic, folder, *targets)]

    def settled(what):
        def same():
            check(started[-1].process.poll() is None, "the bridge ended")
            told = folded(webhook.bodies)
            return manager.active() is not None and set(manager.active()) == open_of(changes) \
                and {key for key, one in told.items() if one["state"] != "RESOLVED"} \
                == open_of(changes) - {webhook.unwanted}
        try:
            stand.until(what, 60, same, 0.2)
        except stand.Failed as failed:
            active = set(manager.active() or ())
            raise AssertionError(f"{failed}: Alertmanager has {len(active)}, webhook "
                                 f"{len(webhook.bodies)}, open {len(open_of(changes))}") from None
    try:
        webhook.unwanted = sorted(open_of(changes))[0]
        send(run, topic, changes)
        settled("all that is open is told")
        check(open_of(changes), "nothing is open: nothing was shown")

        # Another owner says all of it again: nobody is told twice.
        count = len(webhook.bodies)
        again = [{**change, "epoch": change["epoch"] + 1} for change in changes[-100:]]
        send(run, topic, again)
        changes += again

        # The webhook is down, some are resolved, one becomes critical; the bridge is restarted.
        webhook.down = True
        some = [folded(changes)[key] for key in sorted(open_of(changes) - {webhook.unwanted})[:40]]
        over = [{**one, "state": "RESOLVED", "sequence": one["sequence"] + 1} for one in some[1:]]
        worse = [{**some[0], "state": "UPDATED", "severity": "critical",
                  "sequence": some[0]["sequence"] + 1}]
        send(run, topic, over + worse)
        changes += over + worse
        stand.until("Alertmanager is told", 30,
                    lambda: set(manager.active() or ()) == open_of(changes), 0.2)
        check(len(webhook.bodies) == count, "what another owner repeats is told again")
        check(started[-1].end(signal.SIGTERM) == 0, "SIGTERM: the exit status is not 0")
        started.append(Bridge(run, topic, folder, *targets))
        time.sleep(1)
        webhook.down = False
        settled("what was missed is told")
        check(len(webhook.bodies) == count + 40, f"{len(webhook.bodies) - count} told, not 40")
        check(manager.active()[some[0]["id"]]["severity"] == "critical", "as severe as before")

        # Killed and started again, twice: nothing comes again, and Alertmanager, which forgot, is
        # told again.
        for _ in range(2):
            started[-1].end(signal.SIGKILL)
            started.append(Bridge(run, topic, folder, *targets))
        manager.stop()
        shutil.rmtree(os.path.join(folder, "alertmanager"))
        manager = Alertmanager(folder, port)
        settled("a new Alertmanager knows what is open")
        check(len(webhook.keys) == len(set(webhook.keys)) == count + 40, "something came again")
        check(started[-1].end(signal.SIGTERM) == 0, "SIGTERM: the exit status is not 0")
    except Exception:
        with open(started[-1].log, encoding="utf-8") as text:
            print(text.read()[-1500:])
        raise
    finally:
        for one in started:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()
        manager.stop()
        webhook.shutdown()
