"""pages - each alert rule leads to its page in the runbook, and each page belongs to a rule."""
import os
import re
import sys

import yaml

import tools


def wrong(rules, runbook):
    """What is not as it should be, one sentence each."""
    pages = dict(re.findall(r"^## (Peakline\w+)\n(.*?)(?=^## |\Z)", runbook, re.M | re.S))
    found = []
    for rule in rules["groups"][0]["rules"]:
        name = rule["alert"]
        if rule["annotations"].get("runbook_url") != f"deploy/RUNBOOK.md#{name.lower()}":
            found.append(f"{name} does not lead to its page")
        parts = re.findall(r"^\*\*(\w+)\*\*", pages.pop(name, ""), re.M)
        if parts != ["Means", "Look", "Do"]:
            found.append(f"{name}'s page has {parts}")
    return found + [f"{name} is no rule" for name in pages]


def main():
    with open(os.path.join(tools.DEPLOY, "prometheus", "rules.yaml"), encoding="utf-8") as file:
        rules = yaml.safe_load(file)
    with open(os.path.join(tools.DEPLOY, "RUNBOOK.md"), encoding="utf-8") as file:
        runbook = file.read()
    found = wrong(rules, runbook)
    for old, new in (("## PeaklineDeadLetters", "## PeaklineDeadLetter"), ("**Look** for", "For")):
        if old not in runbook or not wrong(rules, runbook.replace(old, new)):
            found.append(f"a runbook with {new} passes")
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
