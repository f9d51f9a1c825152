#!/usr/bin/env python3
"""Checks what no schema knows: that the deployment files agree with each other and stay hardened.

Usage: manifests.py ROOT
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import glob
import os
import re
import sys

import yaml

import stack

DEADLINE = "SHUTDOWN_DEADLINE_SECONDS"


def read(*path):
    """A file's text."""
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def seconds(text):
    """Seconds of `45`, `45s` or `45sec`."""
    return int(re.match(r"\d+", str(text)).group())


def kubernetes(root):
    """The StatefulSet, the kustomization and the network policy."""
    folder = os.path.join(root, "deploy", "kubernetes")
    listed = yaml.safe_load(read(folder, "kustomization.yaml"))["resources"]
    present = {os.path.basename(p) for p in glob.glob(os.path.join(folder, "*.yaml"))}
    expected = {p for p in present if ".example." not in p} - {"kustomization.yaml"}
    if set(listed) != expected:
        yield f"kustomization lists {sorted(listed)}, the folder holds {sorted(expected)}"
    settings = yaml.safe_load(read(folder, "configmap.yaml"))["data"]
    spec = yaml.safe_load(read(folder, "statefulset.yaml"))["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    if spec["replicas"] != 1:
        yield "the StatefulSet must have one replica: its volume has one owner"
    if pod["terminationGracePeriodSeconds"] <= seconds(settings[DEADLINE]):
        yield f"terminationGracePeriodSeconds must exceed {DEADLINE}"
    for probe, path in (("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
        if container.get(probe, {}).get("httpGet", {}).get("path") != path:
            yield f"{probe} must ask {path}"
    context, own = pod.get("securityContext", {}), container.get("securityContext", {})
    hardened = (
        context.get("runAsNonRoot") is True
        and context.get("seccompProfile", {}).get("type") == "RuntimeDefault"
        and own.get("readOnlyRootFilesystem") is True
        and own.get("allowPrivilegeEscalation") is False
        and own.get("capabilities", {}).get("drop") == ["ALL"]
    )
    if not hardened:
        yield "the pod is not hardened as it was"
    for rule in yaml.safe_load(read(folder, "networkpolicy.yaml"))["spec"]["ingress"]:
        if [p["port"] for p in rule.get("ports", [])] != [8000]:
            yield "the network policy must open port 8000 and no other"


def compose(root):
    """The services of docker-compose.yml."""
    services = yaml.safe_load(read(root, "docker-compose.yml"))["services"]
    daemon = services["processor"]
    if seconds(daemon["stop_grace_period"]) <= seconds(daemon["environment"][DEADLINE]):
        yield f"stop_grace_period must exceed {DEADLINE}"
    if daemon.get("read_only") is not True or daemon.get("cap_drop") != ["ALL"]:
        yield "the processor must have a read-only root and no capabilities"
    for name, service in services.items():
        if "build" not in service and not re.search(r":v?\d+\.\d+\.\d+$", service["image"]):
            yield f"{name}: the image is not pinned to a full version"
        if "healthcheck" not in service:
            yield f"{name}: no health check"
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./") and not os.path.exists(os.path.join(root, source)):
                yield f"{name}: {source} does not exist"
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                yield f"{name}: port {port} is not bound to the loopback interface"


def systemd(root):
    """The unit."""
    unit = read(root, "deploy", "systemd", "match-list-processor.service")
    if seconds(re.search(r"^TimeoutStopSec=(.*)$", unit, re.MULTILINE).group(1)) <= 30:
        yield f"TimeoutStopSec must exceed {DEADLINE}, which is 30 unless set"
    if not re.search(r"^RestartPreventExitStatus=78$", unit, re.MULTILINE):
        yield "78 must not be restarted"
    allowed = int(re.search(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE).group(1))
    default = re.search(r'"MAX_CONNECTIONS", ([\d_]+)', read(root, "src", "config", "http.rs")).group(1)
    # Listeners: public, administration, metrics.
    if allowed <= 3 * int(default):
        yield f"LimitNOFILE={allowed} has no room for MAX_CONNECTIONS={default} on three listeners"


def dockerfile(root):
    """The image: what hadolint does not ask for."""
    text = read(root, "Dockerfile")
    for wanted in (
        r"^USER \d+:\d+$", r"^STOPSIGNAL SIGTERM$", r"^EXPOSE 8000$", r'^VOLUME \["/data"\]$',
        r'CMD \["match-list-processor", "healthcheck"\]', r"PROCESSOR_MODE=event-driven",
    ):
        if not re.search(wanted, text, re.MULTILINE):
            yield f"no line matches {wanted}"


def main():
    root = sys.argv[1]
    parts = (("kubernetes", kubernetes), ("compose", compose), ("stack", stack.problems), ("systemd", systemd),
             ("Dockerfile", dockerfile))
    problems = [f"{name}: {p}" for name, check in parts for p in check(root)]
    print("\n".join(problems) or "deployment files: ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
