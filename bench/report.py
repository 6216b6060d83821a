"""writes bench/RESULTS.md from the newest result of each benchmark."""
import argparse
import json

import rig

FILE = rig.ROOT / "bench" / "RESULTS.md"
HEAD = """# Results

Written by `bench/run report` from the newest file of each benchmark in `bench/results/`. Compare
figures of one sitting only: the load before a run tells how quiet the machine was.
"""


def newest():
    """{bench: (file, result)}"""
    found = {}
    for file in sorted(rig.RESULTS.glob("*.json")):     # names end in the time
        result = json.loads(file.read_text())
        found[result["bench"]] = (file, result)
    return found


def number(value):
    if isinstance(value, float) and abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def rows(result):
    """(name, value) of the summary: what is a number, and numbers one level down."""
    for name, value in result.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, number(value)
        elif isinstance(value, dict) and name.startswith("at_"):
            yield name, ", ".join(f"{key} {number(item)}" for key, item in value.items())


def section(name, file, result):
    machine = result["machine"]
    lines = [f"\n## {name}\n", "| | |", "|---|---|",
             *(f"| {key} | {value} |" for key, value in rows(result)),
             f"\nCommit {result['commit']}; {machine['cores']} cores of {machine['cpu']}, Linux "
             f"{machine['kernel']}, load before {machine['load_before']:.1f}; settings "
             f"{', '.join(result['settings']) or 'as shipped'}. [{file.name}](results/{file.name})"]
    if (rig.RESULTS / f"{name}.svg").exists():
        lines.append(f"\n![{name}](results/{name}.svg)")
    return "\n".join(lines) + "\n"


def run():
    found = newest()
    if not found:
        raise rig.BenchError(f"no result in {rig.RESULTS}")
    FILE.write_text(HEAD + "".join(section(name, *found[name]) for name in sorted(found)))
    print(json.dumps({"bench": "report", "benches": sorted(found)}))


def main(words):
    argparse.ArgumentParser(prog="bench/run report", description=__doc__).parse_args(words)
    return rig.guarded(run)
