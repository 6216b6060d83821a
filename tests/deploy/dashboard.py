"""dashboard - its types by Grafana's own schema; its queries asked of a real Prometheus that has
scraped a real run; and a wrong one must be found by each."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import tools

FILE = os.path.join(tools.DEPLOY, "grafana", "peakline.json")
SCHEMA, TYPESCRIPT = "@grafana/schema@12", "typescript@5"
BUILD = os.path.join(tools.ROOT, "build")
SERVICES = os.path.join(tools.DEPLOY, "services")
TOPICS = ("scans:3", "alerts:3", "etas:3:compact", "dead-letters:1", "progress:1:compact")


def typed(dashboard):
    """What the compiler says of it, a literal of the schema's type."""
    def make(folder):
        tools.run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder,
                  SCHEMA, TYPESCRIPT)
    home = tools.once("grafana-schema-12", make)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        path = os.path.join(folder, "dashboard.ts")
        with open(path, "w", encoding="utf-8") as file:
            file.write("import type { Dashboard } from '@grafana/schema';\n"
                       f"export const dashboard: Dashboard = {json.dumps(dashboard)};\n")
        done = subprocess.run([os.path.join(home, "node_modules/.bin/tsc"), "--noEmit",
                               "--skipLibCheck", "--strict", "--module", "esnext",
                               "--moduleResolution", "bundler", path],
                              capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Run:
    """Kafka, Redis, Peakline under load, and a Prometheus that looks each second."""

    def __init__(self, folder):
        self.folder, self.children = folder, []
        self.http, self.prometheus = free_port(), free_port()

    def __enter__(self):
        tools.run(f"{SERVICES}/kafka", "start", self.folder,
                  *[w for t in TOPICS for w in ("--topic", t)])
        tools.run(f"{SERVICES}/redis", "start", self.folder)
        with open(os.path.join(self.folder, "env"), encoding="utf-8") as file:
            env = dict(line.strip().split("=", 1) for line in file if "=" in line)
        config = os.path.join(self.folder, "prometheus.yaml")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [
                {"job_name": "peakline", "static_configs": [
                    {"targets": [f"127.0.0.1:{self.http}"]}]}]}, file)
        brokers = env["KAFKA_BROKERS"].strip("'\"")
        self.start(f"{BUILD}/peakline", "run", "--set", f"kafka.brokers={brokers}", "--set",
                   "redis.address=" + env["REDIS_ADDRESS"].strip("'\""), "--set",
                   f"http.listen=127.0.0.1:{self.http}")
        self.start(f"{BUILD}/peakload", "generate", "--brokers", brokers, "--rate", "2000",
                   "--broken", "1%", "--quiet")
        self.start("prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/db",
                   f"--web.listen-address=127.0.0.1:{self.prometheus}")
        return self

    def start(self, *command):
        with open(os.path.join(self.folder, os.path.basename(command[0]) + ".log"), "wb") as log:
            self.children.append(subprocess.Popen(command, stdout=log, stderr=log,
                                                  stdin=subprocess.DEVNULL))

    def ask(self, expression):
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []

    def numbers(self, expression):
        """The values, none of which is NaN: a histogram that nobody has counted in gives that."""
        return [r for r in self.ask(expression) if r["value"][1] != "NaN"]

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            child.wait(60)
        for service in ("kafka", "redis"):
            tools.run(f"{SERVICES}/{service}", "stop", self.folder)


def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$job", ".*")


def queries(dashboard):
    with tempfile.TemporaryDirectory() as folder, Run(folder) as run:
        left = list(expressions(dashboard))
        count, end = len(left), time.time() + 90
        while left and time.time() < end:
            time.sleep(1)
            left = [(title, e) for title, e in left if not run.numbers(e)]
        for title, expression in left:
            print(f"{title}: {expression} answers nothing")
        if run.numbers("rate(peakline_no_such_total[1m])"):
            sys.exit("a series that is not there is answered")
        if run.children[0].poll() is not None:
            with open(os.path.join(folder, "peakline.log"), encoding="utf-8") as log:
                sys.exit(log.read())
        with urllib.request.urlopen(f"http://127.0.0.1:{run.http}/metrics", timeout=10) as page:
            said = subprocess.run(["promtool", "check", "metrics"], input=page.read(),
                                  capture_output=True, check=False)
        print(f"{count} queries", said.stdout.decode(), said.stderr.decode())
        if left or said.returncode not in (0, 3):
            sys.exit(1)


def main():
    with open(FILE, encoding="utf-8") as file:
        dashboard = json.load(file)
    status, said = typed(dashboard)
    wrong = dict(dashboard, refresh=10, panells=[])
    if status != 0 or typed(wrong)[0] == 0:
        sys.exit(f"types: {said}, or a wrong one passes")
    names = set(re.findall(r"peakline_\w+", json.dumps(dashboard)))
    print(f"{len(names)} series")
    queries(dashboard)


if __name__ == "__main__":
    main()
