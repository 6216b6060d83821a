"""latency at 25, 50 and 75 % of the rated load, from due times.

Three open loops as `peak` runs them (see there what is measured); --rated says what 100 % is.
"""
import peak
import rig

SHARES = (0.25, 0.5, 0.75)


def run(arguments, say):
    machine = rig.machine()
    rows = peak.measure("latency", arguments, [arguments.rated * share for share in SHARES], say)
    summary = {"bench": "latency", "rated": arguments.rated}
    for share, row in zip(SHARES, rows):
        name = f"at_{share:.0%}".rstrip("%")
        summary[name] = {key: row[key] for key in ("rate", "slip", "p50_ms", "p99_ms",
                                                   "visible_p99_ms")}
    rig.record("latency", summary, {"machine": machine, "runs": rows, "settings": arguments.set,
                                    "workers": arguments.workers})
    if any(row["exit"] != 0 for row in rows):
        raise rig.BenchError("peakline did not end cleanly")


def main(words):
    parser = peak.options("latency", __doc__)
    parser.add_argument("--rated", type=float, default=500_000, metavar="N",
                        help="scans a second that are 100 %%")
    arguments = parser.parse_args(words)
    return rig.guarded(lambda: run(arguments, rig.speaker(arguments)))
