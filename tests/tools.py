"""tools - what is had once and kept: programs and files out of Go modules, Strimzi's CRD."""
import fcntl
import json
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEPLOY = os.path.join(ROOT, "deploy")
CACHE = os.environ.get("PEAKLINE_CACHE", os.path.expanduser("~/.cache/peakline"))


class Failed(Exception):
    """What a command was to do, and what it said instead."""


def run(*command, wanted=0, **more):
    """What the command printed; it must end with `wanted` (None: with anything but 0)."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != wanted if wanted is not None else done.returncode == 0:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + (done.stderr if wanted != 0 else "")


def once(name, make):
    """The folder `name` of the cache, filled by make(folder) where it is not yet there."""
    folder = os.path.join(CACHE, name)
    os.makedirs(CACHE, exist_ok=True)
    with open(folder + ".lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder):
            new = folder + ".new"
            shutil.rmtree(new, ignore_errors=True)
            os.makedirs(new)
            make(new)
            os.rename(new, folder)
    return folder


def program(module, version):
    """The path of a program that is built from its Go module."""
    name = os.path.basename(module)

    def make(folder):
        run("go", "install", f"{module}@{version}", env={**os.environ, "GOBIN": folder})
    return os.path.join(once(f"{name}-{version}", make), name)


def module_file(module, version, path):
    """The path of a file that a Go module ships; the rest of the module is not looked at."""
    def make(folder):
        told = run("go", "mod", "download", "-json", f"{module}@{version}")
        shutil.copy(os.path.join(json.loads(told)["Dir"], path),
                    os.path.join(folder, os.path.basename(path)))
    name = f"{os.path.basename(path)}-{version}"
    return os.path.join(once(name, make), os.path.basename(path))
