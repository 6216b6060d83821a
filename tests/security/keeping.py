"""keeping - passwords and tokens: in no log, no answer, no list of processes, no core, no copy."""
import os
import re
import resource
import signal
import subprocess

import secured
import stand
from tally import check


def found(text, planted):
    """Names of the secrets that stand in text."""
    text = text if isinstance(text, bytes) else text.encode()
    return [name for name, value in planted.items() if value.encode() in text]


def secrets(place):
    """planted secrets appear in no log (at its most talkative), output, answer or process list"""
    planted = place.planted
    settings = {**place.settings(place.sasl()), "http.token": place.secret("token"),
                "redis.sentinel.password": place.secret("sentinel"), "log.level": "debug",
                "rdkafka.debug": "security,broker,conf,cgrp"}
    instance = place.it.start(secured.GROUP, "keeping", **settings)
    instance.finish(40)
    seen = {"/proc/PID/cmdline": open(f"/proc/{instance.process.pid}/cmdline", "rb").read()}
    for path in ("/live", "/ready", "/metrics", "/version", "/partitions"):
        seen[path] = instance.get(path)
    check(instance.stop() == 0, "SIGTERM: the exit status is not 0")
    with open(instance.log, "rb") as log:
        seen["the log"] = log.read()
    check(len(seen["the log"]) > 10000, "the log says little: nothing was shown")

    words = [word for path, value in {**settings, "kafka.topics.scans": place.it.scans,
                                      "redis.address": place.it.redis_address}.items()
             for word in ("--set", f"{path}={value}")]
    for command in (["check"], ["check", "--json"], ["check", "--connect"], ["graph"],
                    ["partitions"], ["alerts"], ["parcel", "T1-1"], ["detectors"],
                    ["check", "--set", f"redis.password={planted['password']}"],
                    ["check", "--set", "redis.database=x"],
                    ["check", "--set", "rdkafka.no.such=1"]):
        done = subprocess.run([stand.PEAKLINE, *command, *words], capture_output=True, timeout=60,
                              check=False, stdin=subprocess.DEVNULL)
        seen[" ".join(command[:2])] = done.stdout + done.stderr
    check(b'"***"' in seen["check"], "check prints no settings: nothing was shown")

    # A file whose mistakes stand beside its secrets.
    file = os.path.join(place.folder, "secret.yaml")
    for text in ("redis: {{password: '{0}', databas: 1}}", "redis: {{password: ['{0}', [a]]}}",
                 "redis: {{password: '{0}\nkafka: x",
                 "rdkafka: {{sasl.password: '{0}', no.such: 1}}",
                 "http: {{token: {{a: '{0}'}}}}"):
        with open(file, "w", encoding="utf-8") as out:
            out.write(text.format(planted["password"]))
        done = subprocess.run([stand.PEAKLINE, "check", "--config", file], capture_output=True,
                              timeout=60, check=False)
        seen[text] = done.stdout + done.stderr
        check(done.returncode == 78, f"{text}: exit {done.returncode}")
    told = {where: found(text, planted) for where, text in seen.items() if found(text, planted)}
    check(not told, f"secrets are told: {told}")
    check(found(f"x{planted['token']}y", planted) == ["token"], "the search finds nothing")


def unlimited():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def cores(place):
    """a crash leaves no core, unless one is asked for"""
    settings = [f"--set={path}={value}" for path, value in place.settings(place.sasl()).items()]
    settings += [f"--set=http.listen=127.0.0.1:{stand.free_port()}",
                 f"--set=kafka.topics.scans={place.it.scans}",
                 f"--set=redis.address={place.it.redis_address}"]

    def crash(name, words):
        folder = os.path.join(place.folder, f"core-{name}")
        os.makedirs(folder)
        process = subprocess.Popen(words, cwd=folder, preexec_fn=unlimited,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        if name != "plain":
            stand.until("it runs", 20, lambda: catches(process.pid, signal.SIGTERM))
        process.send_signal(signal.SIGABRT)
        process.wait(20)
        return os.listdir(folder)
    check(not crash("peakline", [stand.PEAKLINE, "run", *settings]), "a core is left")
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as pattern:
        if not re.fullmatch(r"core(\.%p)?", pattern.read().strip()):
            return          # cores go elsewhere here: nothing to compare with
    for name, words in (("plain", ["sleep", "60"]),
                        ("asked", [stand.PEAKLINE, "run", "--set=debug.core_dumps=true",
                                   *settings])):
        check(crash(name, words), f"{name}: no core, so nothing was shown")


def catches(pid, number):
    """Does the process handle this signal by now?"""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", lines.read()).group(1), 16)
    return caught >> (number - 1) & 1
