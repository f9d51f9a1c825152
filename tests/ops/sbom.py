"""The bill of materials names every crate that is linked, with its licence and checksum."""

import json
import re
import subprocess
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    components = {(c["name"], c["version"]): c for c in json.load(file)["components"]}
tree = subprocess.run(
    ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"],
    check=True,
    capture_output=True,
    text=True,
).stdout
linked = set(re.findall(r"^(?!match-list-processor )(\S+) v(\S+)", tree, re.MULTILINE))
mistakes = [f"{name} {version} is missing" for name, version in sorted(linked - components.keys())]
for (name, version), component in sorted(components.items()):
    mistakes += [f"{name} {version} has no {key}" for key in ("licenses", "hashes", "purl") if not component.get(key)]
if not linked:
    mistakes.append("cargo names no dependency at all")
print(f"{len(linked)} linked crates, {len(components)} in the bill")
sys.exit("\n".join(mistakes) if mistakes else 0)
