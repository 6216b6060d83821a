"""tally - the frame of tests that stand beside each other: run, tell, count."""
import shutil
import sys
import tempfile
import time
import traceback


def check(true, what):
    if not true:
        raise AssertionError(what)


def one(kind, name, test, place):
    began, why = time.monotonic(), ""
    try:
        test(place)
    except Exception:       # pylint: disable=broad-except
        why = traceback.format_exc(limit=4)
    print(f"{'FAIL' if why else 'ok':7} {kind + '/' + name:44} "
          f"{time.monotonic() - began:6.1f} s\n{why}", end="", flush=True)
    return not why


def main(kind, tests, names, make, bare=()):
    """Runs some or all of `tests`, a table of functions.  make(folder) → what they stand on,
    which has begin() and close(); not begun when only tests in `bare` are wanted.  The exit
    status."""
    if names == ["--list"]:
        for name, test in tests.items():
            print(f"{name:12} {test.__doc__}")
        return 0
    unknown = [name for name in names if name not in tests]
    if unknown:
        print(f"tests/{kind}/run: no test {unknown[0]}; --list names them", file=sys.stderr)
        return 64
    folder = tempfile.mkdtemp(prefix="peakline-")
    place = make(folder)
    try:
        if not names or set(names) - set(bare):
            place.begin()
        passed = [one(kind, name, tests[name], place) for name in names or tests]
    finally:
        place.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    return 0 if all(passed) else 1
