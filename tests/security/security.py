"""security - what Peakline lets in, lets out, and keeps to itself.

    tests/security/run [--list | NAME...]
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests/system"), HERE]

# pylint: disable=wrong-import-position
import doors        # noqa: E402
import hostile      # noqa: E402
import keeping      # noqa: E402
import mistakes     # noqa: E402
import sbom         # noqa: E402
import secured      # noqa: E402
import tally        # noqa: E402
import views        # noqa: E402

TESTS = {"mistakes": mistakes.offline, "unreachable": mistakes.connected,
         "scram": secured.scram, "certificate": secured.certificate,
         "forbidden": secured.forbidden, "doors": doors.doors, "control": doors.control,
         "secrets": keeping.secrets, "cores": keeping.cores, "hostile": hostile.hostile,
         "sbom": sbom.sbom, "sentinel": views.sentinel, "tls": views.tls}

if __name__ == "__main__":
    sys.exit(tally.main("security", TESTS, sys.argv[1:], lambda folder: secured.Place(folder),
                        bare=("mistakes", "sbom")))
