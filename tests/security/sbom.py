"""sbom - deploy/sbom: valid CycloneDX, complete, with licences."""
import json
import os
import subprocess

import secured
from tally import check

PROGRAM = os.path.join(secured.ROOT, "build", "peakline")


def run(*words):
    done = subprocess.run([os.path.join(secured.ROOT, "deploy/sbom"), *words], capture_output=True,
                          text=True, timeout=60, check=False)
    check(done.returncode == 0, done.stderr[-500:])
    return done.stdout


def sbom(_):
    """the list of what the program is made of: valid CycloneDX, every library, its licence"""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    text = run(PROGRAM)
    wrong = validator.validate_str(text)
    check(wrong is None, f"not CycloneDX: {wrong}")
    document = json.loads(text)
    check(validator.validate_str(text.replace('"library"', '"libary"', 1)) is not None,
          "a broken document passes")
    loaded = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
    wanted = {line.split()[0] for line in loaded.splitlines() if "=> /" in line}
    listed = {one["bom-ref"]: one for one in document["components"]}
    check(set(listed) == wanted and "librdkafka.so.1" in wanted, set(listed) ^ wanted)
    for name, one in listed.items():
        check(one["version"] and one["licenses"], f"{name}: no version, or no licence")
        check("common-licenses" not in json.dumps(one), f"{name}: a licence was not read")
    unknown = [one["name"] for one in listed.values()
               if one["licenses"][0]["license"]["name"].startswith("as in ")]
    check(not unknown, f"no licence was found for {unknown}")
    graph = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    check("librdkafka.so.1" in graph["peakline"] and set(graph) == wanted | {"peakline"}, graph)
    check(run(PROGRAM) == text, "the same program gives another document")
    check("librdkafka1" in run("--list", PROGRAM), "the list lacks librdkafka")
