#!/usr/bin/env python3
"""bench_peers - what `bench/run peers` makes of its figures and of what the peers told."""
import copy
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import peers    # noqa: E402

TOLD = {"scans": 100, "duplicates": 4, "etas": {"records": 9, "hash": "0a", "kinds": {}},
        "alerts": {"records": 3, "hash": "0b", "kinds": {"stalled": 2, "misrouted": 1}}}


def result(engine, told=None, **figures):
    return {"engine": engine, "told": told or copy.deepcopy(TOLD), "scans_per_s": 100,
            "steady_per_s": 200, "cpu_ns_process": 1, "cpu_ns_kafka": 2, "cpu_ns_redis": 3,
            "cpu_ns_all": 6, "steady_ns_all": 5, "rss_mb": 7, **figures}


class Disagreements(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(peers.disagreements([result("a"), result("b"), result("c")]), [])

    def test_each_difference_is_named(self):
        for what, other in (("duplicates", 5), ("scans", 101),
                            ("etas", {**TOLD["etas"], "hash": "0c"}),
                            ("alerts", {**TOLD["alerts"], "kinds": {"stalled": 3}})):
            with self.subTest(what):
                wrong = peers.disagreements([result("a"), result("b", {**TOLD, what: other})])
                self.assertEqual(len(wrong), 1)
                self.assertIn(f"b and a disagree on {what}", wrong[0])

    def test_what_one_does_not_say(self):
        less = {name: value for name, value in TOLD.items() if name != "alerts"}
        self.assertEqual(len(peers.disagreements([result("a"), result("b", less)])), 1)
        self.assertEqual(len(peers.disagreements([result("a", less), result("b")])), 1)


class Figures(unittest.TestCase):
    def test_middle_is_of_one_engine(self):
        results = [result("a", scans_per_s=speed) for speed in (5, 1, 9)]
        results.append(result("b", scans_per_s=1000))
        self.assertEqual(peers.middle(results, "a")["scans_per_s"], 5)

    def test_ratios(self):
        medians = {"peakline": result("peakline", scans_per_s=1000, cpu_ns_all=2),
                   "a": result("a", scans_per_s=100, steady_per_s=250, cpu_ns_all=12,
                               steady_ns_all=8)}
        self.assertEqual(peers.ratios(medians), {"a": {"speed": 10, "cpu": 6, "steady_speed": 4,
                                                       "steady_cpu": 4}})


if __name__ == "__main__":
    ran = unittest.main(exit=False, verbosity=0).result
    failed = len(ran.failures) + len(ran.errors)
    print(f"{ran.testsRun - failed} passed, {failed} failed")
    sys.exit(failed > 0)
