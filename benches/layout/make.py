#!/usr/bin/env python3
"""Writes idle.ld: which functions a daemon executes that starts, is asked how it is, and rests.

    cargo build --release && python3 benches/layout/make.py

Linux maps sixteen pages of a program at each page fault, so functions that lie scattered over its file
cost an idle daemon four times the memory that they need. build.rs gives the list to the linker, which
puts these functions next to each other, in the order of the list. Names stand in it without their hashes:
it outlives new versions of crates and of the compiler, a name that is gone does nothing, and a function
that is missing costs a page or two. Renew it when `cargo bench --bench start` shows that idle memory has
grown. Needs valgrind.
"""

import bisect
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parents[1] / "target/release/match-list-processor"
ASKED = ["/livez", "/readyz", "/health/simple", "/health", "/metrics/prom"]
# Under valgrind everything takes fifty times as long.
READY_WITHIN = 120
RESTS = 10


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def trace(folder):
    """Runs the daemon and returns callgrind's record of what it executed."""
    port = free_port()
    (folder / "list.json").write_text("[]")
    (folder / "files").mkdir()
    found = folder / "callgrind"
    settings = {
        "PATH": os.environ["PATH"],
        "PROCESSOR_MODE": "event-driven",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATA_FOLDER": str(folder / "data"),
        "API_BASE_URL": f"file://{folder}/list.json",
        "WHATSAPP_AVATAR_SERVICE_URL": "embedded",
        "ASSET_STORE_URL": f"file://{folder}/files",
        "LOG_LEVEL": "ERROR",
    }
    command = ["valgrind", "-q", "--tool=callgrind", "--dump-instr=yes", f"--callgrind-out-file={found}", str(BINARY)]
    daemon = subprocess.Popen(command, env=settings, cwd=folder)
    try:
        end = time.monotonic() + READY_WITHIN
        while ask(port, "/readyz") != 200:
            if time.monotonic() > end or daemon.poll() is not None:
                sys.exit("the daemon did not get ready under valgrind")
            time.sleep(0.5)
        for path in ASKED:
            ask(port, path)
        time.sleep(RESTS)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=120)
    return found.read_text()


def addresses(record):
    """Of the binary's instructions in a record, whose positions are relative to the ones before them."""
    objects, current, last, found = {}, None, 0, set()
    for line in record.splitlines():
        if named := re.match(r"(c?)ob=\((\d+)\)(?: (.*))?", line):
            if named[3]:
                objects[named[2]] = named[3]
            if not named[1]:
                current = objects.get(named[2])
        elif position := re.match(r"(0x[0-9a-f]+|[+-]\d+|\*) ", line):
            text = position[1]
            if text != "*":
                last = int(text, 16) if text.startswith("0x") else last + int(text)
            if current == str(BINARY):
                found.add(last)
    return found


def functions():
    listed = subprocess.run(["nm", "-S", "--defined-only", BINARY], capture_output=True, text=True, check=True)
    found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tTwW] (\S+)$", listed.stdout, re.MULTILINE)
    return sorted((int(start, 16), int(size, 16), name) for start, size, name in found)


def pattern(name):
    """A name without what other versions of a crate or of the compiler change in it."""
    name = re.sub(r"\.llvm\.\d+$", "*", name)
    name = re.sub(r"Cs[0-9A-Za-z]+_(?=\d)", "Cs*_", name)
    return re.sub(r"17h[0-9a-f]{16}E\*?$", "17h*", name)


def main():
    with tempfile.TemporaryDirectory() as folder:
        executed = addresses(trace(pathlib.Path(folder)))
    known = functions()
    starts = [start for start, _, _ in known]
    touched = {bisect.bisect_right(starts, address) - 1 for address in executed} - {-1}
    patterns = dict.fromkeys(pattern(known[index][2]) for index in sorted(touched))
    if len(patterns) < 500:
        sys.exit(f"only {len(patterns)} functions were seen, which cannot be all: is the binary stripped of its names?")
    lines = [f"    *(.text*.{name})" for name in patterns]
    head = "/* Written by make.py, which says what it is for. */\nSECTIONS {\n  .text.idle : {\n"
    (HERE / "idle.ld").write_text(head + "\n".join(lines) + "\n  }\n} INSERT BEFORE .text;\n")
    print(f"{len(patterns)} functions")


if __name__ == "__main__":
    main()
