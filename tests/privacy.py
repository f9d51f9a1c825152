#!/usr/bin/env python3
"""Searches what the daemons of a test run said of themselves for what is personal in the fixtures.

Tests keep logs, exported spans, scrapes, answers and errors in the folder that MLP_KEEP_OUTPUT names.
GET /changes, GET /deliveries and the files that are delivered may hold personal data: those are not kept.

Usage: privacy.py FOLDER [KIND…]    exit 0 when nothing personal is in it, 1 with one line per find; of each KIND, or
                                    else of every one, there must be something
       privacy.py --control FOLDER  exit 0 when each canary, in each form and kind of file, would be found
"""

import collections
import functools
import glob
import json
import os
import re
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
# A run that kept none of one of these was not looked at. In this order: names of files begin so.
KINDS = ("log", "spans", "metrics", "error", "answer")
# Fields of a list that tell of a person. Where one lives is in every list the same few values, which teams
# and venues have, too: tests/it/support/canaries.json has some of its own.
FIELDS = ("personnamn", "namn", "telefon", "mobiltelefon", "telefonarbete", "epostadress", "adress", "coadress")
LEAST = 5  # characters of a canary
# How settings in tests name the mail addresses of those who are told.
MAIL = re.compile(r"\bmail = ['\"]([^'\"]+@[^'\"]+)['\"]")


def people(value):
    """All values of fields that tell of a person, wherever they are."""
    if isinstance(value, list):
        for one in value:
            yield from people(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in FIELDS and isinstance(one, str) and len(one) >= LEAST:
                yield one
            else:
                yield from people(one)


def stakeholders(own):
    """What settings of tests tell of people: every address in them must be among the canaries."""
    known = set(own["stakeholders"].values())
    named = set()
    for path in glob.glob(os.path.join(HERE, "it", "**", "*.rs"), recursive=True):
        with open(path, encoding="utf-8") as f:
            named.update(MAIL.findall(f.read()))
    if not named:
        sys.exit("no settings in tests/it name a mail address any more")
    if named - known:
        sys.exit(f"canaries.json lacks addresses that tests/it name: {', '.join(sorted(named - known))}")
    return known


@functools.cache
def canaries():
    """What must be nowhere, and what may be in answers alone."""
    with open(os.path.join(HERE, "it", "support", "canaries.json"), encoding="utf-8") as f:
        own = json.load(f)
    everywhere = set(own["personal"].values()) | stakeholders(own)
    with open(os.path.join(HERE, "it", "support", "matches.rs"), encoding="utf-8") as f:
        named = re.findall(r'"personnamn": "([^"]+)"', f.read())
    if not named:
        sys.exit("tests/it/support/matches.rs names nobody any more")
    everywhere.update(named)
    files = glob.glob(os.path.join(HERE, "season", "[0-9]*.json"))
    for path in files:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        everywhere.update(people(json.loads(text)) if text.strip() else ())
    if len(everywhere) < 40:
        sys.exit(f"only {len(everywhere)} canaries in {len(files)} files: the fixtures have others now")
    return frozenset(everywhere), frozenset(own["sent"].values())


def forms(canary):
    """The ways in which a text can be written."""
    return {canary, json.dumps(canary)[1:-1], urllib.parse.quote(canary), urllib.parse.quote_plus(canary),
            canary.encode().hex()}


def searched(form):
    """How a form is looked for. A telephone number is also how the digits of a measured figure may end
    (0.02752350700000001); the hexadecimal form is longer than those are."""
    is_number = form.isdigit() and len(form) < 16
    return rf"(?<![\d.]){form}(?!\d)" if is_number else re.escape(form)


@functools.cache
def pattern(words):
    """All forms of these words, whatever the case."""
    all_forms = sorted({f for word in words for f in forms(word)}, key=len, reverse=True)
    return re.compile("|".join(map(searched, all_forms)), re.IGNORECASE)


def finds(folder):
    """Each find, and how much of each kind was searched."""
    everywhere, sent = canaries()
    anywhere, elsewhere = pattern(everywhere), pattern(everywhere | sent)
    found, sizes = collections.Counter(), dict.fromkeys(KINDS, 0)
    for path in sorted(glob.glob(os.path.join(folder, "*.txt"))):
        kind = os.path.basename(path).split("-")[0]
        sizes[kind] += os.path.getsize(path)
        wanted = anywhere if kind == "answer" else elsewhere
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                found.update((kind, match.group(0).lower()) for match in wanted.finditer(line))
    return found, sizes


def search(folder, wanted=KINDS):
    """The exit code, and what there is to say."""
    found, sizes = finds(folder)
    lines = [f"{kind}: {text!r}, {count} times" for (kind, text), count in sorted(found.items())]
    lines += [f"{kind}: nothing was kept" for kind in wanted if not sizes[kind]]
    if lines:
        return 1, lines
    total = ", ".join(f"{size // 1024} KiB of {kind}" for kind, size in sizes.items() if size)
    return 0, [f"nothing personal in {total}"]


def control(folder):
    """Whether each canary would be found where it must not be."""
    everywhere, sent = canaries()
    problems = []
    with tempfile.TemporaryDirectory() as copy:
        for kind in KINDS:
            with open(os.path.join(copy, f"{kind}-0.txt"), "w", encoding="utf-8") as f:
                f.write("kept\n")
        for kind in KINDS:
            path = os.path.join(copy, f"{kind}-0.txt")
            for canary in sorted(everywhere | (sent if kind != "answer" else set())):
                for form in sorted(forms(canary)):
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(f'{{"message":"x{form.upper()}y"}}\n')
                    if not finds(copy)[0]:
                        problems.append(f"{kind}: {form!r} was not found")
            with open(path, "w", encoding="utf-8") as f:
                f.write("kept\n")
        numbers = [canary for canary in sorted(everywhere) if canary.isdigit()]
        with open(os.path.join(copy, "metrics-0.txt"), "w", encoding="utf-8") as f:
            f.writelines(f"seconds_sum 0.0275235{number}\nseconds_sum 0.{number}\n" for number in numbers)
        if search(copy)[0] or not numbers:
            problems.append("a find where there is none")
        os.remove(os.path.join(copy, "spans-0.txt"))
        if not search(copy)[0]:
            problems.append("that no spans were kept was not noticed")
        if search(copy, ("log",))[0]:
            problems.append("spans are missed where none were asked for")
    # A daemon that let one out on purpose wrote here.
    if folder and not finds(folder)[0]:
        problems.append("the leak on purpose was not found")
    return (1, problems) if problems else (0, ["each canary is found in each form"])


def main():
    args = sys.argv[1:]
    code, lines = control(args[1]) if args[0] == "--control" else search(args[0], args[1:] or KINDS)
    print("\n".join(lines[:50]))
    sys.exit(code)


if __name__ == "__main__":
    main()
