#!/usr/bin/env python3
"""Checks docs/runbooks/: a page per alert, with its four sections, and nothing in it that does not exist.

Blocks of a page: `sh` is run against a daemon by --run, `console` is only read (it is about other programs, or
changes something), `promql` must parse and read documented metrics.

Usage: runbooks.py ROOT [--run BINARY]
  --run BINARY  starts that daemon and runs every `sh` block against it (needs curl and jq)
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import glob
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

import expressions
import promql

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
REQUEST = re.compile(r'curl ([^|;&\n]*)\$(MLP|ADMIN)(/[^\s"?)|`]*)?')
METHOD = re.compile(r"-X ([A-Z]+)")
FILTER = re.compile(r"\bjq (?:'([^']*)'|(\.\S*))")
# Words of jq, and names that the filters of the pages give themselves.
JQ = {"add", "count", "group_by", "length", "map", "select"}
COMMAND = re.compile(r"match-list-processor ([a-z][a-z-]+)")


def anchors(text):
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}


def read(*path):
    """A file's text."""
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


class Known:
    """What commands, endpoints and metrics there are."""

    def __init__(self, root, recorded):
        self.metrics = promql.documented(os.path.join(root, "docs", "METRICS.md"))
        self.recorded = recorded
        self.endpoints = {
            base: json.loads(read(root, "docs", name))["paths"]
            for base, name in (("MLP", "openapi.json"), ("ADMIN", "openapi-admin.json"))
        }
        described = read(root, "docs", "openapi.json") + read(root, "docs", "openapi-admin.json")
        self.fields = set(re.findall(r'"([a-z_]+)"', described))
        # The subcommands as the README lists them; tests/it/cli holds that against the program.
        self.commands = set(re.findall(r"`… ([a-z-]+)", read(root, "README.md")))

    def request(self, base, method, path):
        """Whether a listener answers this method on this path."""
        for known, methods in self.endpoints[base].items():
            if re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", known), path):
                return method.lower() in methods
        return False


def page_problems(path, known):
    """What is wrong with one page."""
    text = read(path)
    blocks = [(kind, body) for kind, body in BLOCK.findall(text)]
    for kind in {kind for kind, _ in blocks} - {"sh", "console", "promql"}:
        yield f"a block of `{kind}`"
    for body in (body for kind, body in blocks if kind == "promql"):
        for expr in body.splitlines():
            yield from query_problems(expr, known)
    for name in promql.undocumented(set(promql.OURS.findall(text)) - {"match_list_processor_tracing"}, known.metrics):
        yield f"{name} is not in docs/METRICS.md"
    for options, base, where in REQUEST.findall(text):
        method = "".join(METHOD.findall(options)) or "GET"
        if not known.request(base, method, where or "/"):
            yield f"no {method} {where or '/'} at ${base}"
    for quoted, bare in FILTER.findall(text):
        for word in set(re.findall(r"[a-z_]+", quoted or bare)) - JQ - known.fields:
            yield f"no answer has a field {word}"
    for command in COMMAND.finditer(text):
        if command[1] not in known.commands:
            yield f"there is no command {command[1]}"
    for target, anchor in LINK.findall(text):
        if "://" in target:
            continue
        there = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not os.path.exists(there):
            yield f"{target} does not exist"
        elif anchor and anchor not in anchors(read(there)):
            yield f"{target} has no heading {anchor}"


def query_problems(expr, known):
    """Whether a query parses and reads what there is."""
    try:
        expressions.parse(expr)
    except ValueError as error:
        yield f"no PromQL: {expr} ({error})"
    for name in set(promql.RECORDED.findall(expr)) - known.recorded:
        yield f"{name} is not recorded"


def runbook_problems(path, alert, known):
    """What is wrong with the page of an alert."""
    text = read(path)
    if not text.startswith(f"# {alert}\n"):
        yield f"its first line must be `# {alert}`"
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    if parts[1::2] != SECTIONS:
        yield f"its sections must be {', '.join(SECTIONS)}"
    for title, body in zip(parts[1::2], parts[2::2]):
        if not body.strip():
            yield f"{title} is empty"
        if title == "Diagnosis" and not any(kind in ("sh", "promql") for kind, _ in BLOCK.findall(body)):
            yield "Diagnosis has neither a command nor a query"
    yield from page_problems(path, known)


def problems(root, rules):
    """Everything that is wrong with the folder, given all rules."""
    folder = os.path.join(root, "docs", "runbooks")
    known = Known(root, {r["record"] for r in rules if "record" in r})
    alerts = {r["alert"] for r in rules if "alert" in r}
    pages = {os.path.basename(p).removesuffix(".md"): p for p in glob.glob(os.path.join(folder, "*.md"))}
    for name in sorted(alerts - set(pages)):
        yield f"{name}: docs/runbooks/{name}.md is missing"
    for name in sorted(set(pages) - alerts - {"README"}):
        yield f"docs/runbooks/{name}.md: there is no such alert"
    index = read(folder, "README.md")
    for name in sorted(alerts & set(pages)):
        if index.count(f"]({name}.md)") != 1:
            yield f"docs/runbooks/README.md: {name} must be linked once"
        yield from (f"docs/runbooks/{name}.md: {p}" for p in runbook_problems(pages[name], name, known))
    yield from (f"docs/runbooks/README.md: {p}" for p in page_problems(pages["README"], known))


def free_ports(count):
    """Ports that nobody has at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def run(root, binary):
    """Runs every `sh` block against a daemon; yields what failed."""
    public, admin = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.abspath(binary), os.path.join(folder, "match-list-processor"))
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}", "HOME": folder, "TZ": "UTC", "PROCESSOR_MODE": "event-driven",
            "HOST": "127.0.0.1", "PORT": str(public), "ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "DATA_FOLDER": f"{folder}/data", "TEMP_FILE_DIRECTORY": folder, "LOG_FORMAT": "text",
            "API_BASE_URL": f"file://{os.path.abspath(root)}/deploy/compose/matches.json",
            "WHATSAPP_AVATAR_SERVICE_URL": "embedded", "ASSET_STORE_URL": f"file://{folder}/files",
            "OTEL_SERVICE_NAME": "match-list-processor",
            "MLP": f"http://127.0.0.1:{public}", "ADMIN": f"http://127.0.0.1:{admin}",
        }
        with open(os.path.join(folder, "log"), "wb") as log:
            daemon = subprocess.Popen(["match-list-processor"], env=environment, cwd=folder, stderr=log,
                                      executable=os.path.join(folder, "match-list-processor"))
        try:
            await_ready(environment["MLP"])
            # An answer of 404 is a failure here, and so is one of several commands of a pipe.
            shell = "set -eo pipefail; curl() { command curl --fail-with-body \"$@\"; }; "
            subprocess.run(["bash", "-c", "match-list-processor trigger --wait 20"], env=environment, check=True,
                           capture_output=True)
            for page in sorted(glob.glob(os.path.join(root, "docs", "runbooks", "*.md"))):
                for kind, body in BLOCK.findall(read(page)):
                    for line in body.splitlines() if kind == "sh" else []:
                        done = subprocess.run(["bash", "-c", shell + line], env=environment, cwd=folder, text=True,
                                              capture_output=True, timeout=90, check=False)
                        yield page, line, done
        finally:
            daemon.terminate()
            daemon.wait(60)


def await_ready(url):
    """Waits until the daemon is ready."""
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=1):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def main():
    root = sys.argv[1]
    if sys.argv[2:3] == ["--run"]:
        done = list(run(root, sys.argv[3]))
        failed = [f"{os.path.basename(page)}: {line}\n{d.stdout}{d.stderr}" for page, line, d in done
                  if d.returncode]
        print("\n".join(failed) or f"{len(done)} commands of the runbooks: ok")
        sys.exit(1 if failed or not done else 0)
    rules = []
    for path in glob.glob(os.path.join(root, "alerts", "*.rules.yml")):
        rules += [r for group in yaml.safe_load(read(path))["groups"] for r in group["rules"]]
    found = list(problems(root, rules))
    print("\n".join(found) or "runbooks: ok")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
