#!/usr/bin/env bash
# Checks alerts/, dashboards/, deploy/, Dockerfile and docker-compose.yml with the real tools.
#
#   tests/ops.sh              all checks; installs what is missing
#   tests/ops.sh NAME         only the checks whose name contains NAME
#   tests/ops.sh --mutations  only the longest: changes each threshold and time of the rules, some test must notice
#   tests/ops.sh --generate   writes dashboards/*.json and deploy/prometheus-operator anew from their sources
#   tests/ops.sh --install    installs only
#
# Tools: promtool and amtool from Debian's packages, as is redis-server for the tests of the program; the
# rest from PyPI and npm in a virtual environment of their own under
# ${XDG_CACHE_HOME:-~/.cache}/match-list-processor. Every check runs, also after one failed; the exit code
# is 1 if any did.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/match-list-processor
requirements=$root/tests/ops/requirements.txt
export PYTHONDONTWRITEBYTECODE=1

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The packages bring services; none of them may be started: policy-rc.d forbids it while they install.
install_debian() {
    local policy=/usr/sbin/policy-rc.d made=''
    command -v apt-get >/dev/null || {
        echo "promtool, amtool or redis-server is missing and there is no apt-get: install them yourself" >&2
        return 1
    }
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 0755 "$policy"
        made=yes
    fi
    local status=0
    { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends prometheus prometheus-alertmanager redis-server >/dev/null; } || status=$?
    if [ -n "$made" ]; then as_root rm -f "$policy"; fi
    # Nor at the next boot of a machine that runs systemd.
    if [ "$status" -eq 0 ] && [ -d /run/systemd/system ]; then
        as_root systemctl disable --now prometheus prometheus-alertmanager redis-server
    fi
    return "$status"
}

# One environment per content of the requirements: a change of a version makes a new one.
install_python() {
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
    touch "$venv/complete"
}

# Grafana's library for reading dashboards. A script finds it only where it stands itself.
install_grafana() {
    mkdir -p "$grafana"
    cp tests/ops/grafana/package.json tests/ops/grafana/package-lock.json "$grafana"
    npm ci --prefix "$grafana" --silent --no-audit --no-fund --ignore-scripts
    cp tests/ops/grafana/package-lock.json "$grafana/node_modules/complete"
}

cd "$root"
mkdir -p "$cache"
venv=$cache/venv-$(sha256sum "$requirements" | cut -c1-12)
if ! command -v promtool >/dev/null || ! command -v amtool >/dev/null || ! command -v redis-server >/dev/null; then
    install_debian
fi
if [ ! -e "$venv/complete" ]; then install_python; fi
export PATH=$venv/bin:$PATH
grafana=$venv/grafana
if ! cmp -s tests/ops/grafana/package-lock.json "$grafana/node_modules/complete"; then install_grafana; fi
if [ "${1:-}" = --install ]; then exit 0; fi
if [ "${1:-}" = --generate ]; then
    python3 dashboards/source/generate.py
    python3 deploy/prometheus-operator/generate.py
    exit 0
fi

only=${1:-}
if [ "$only" = --mutations ]; then only='rules: every change is noticed'; fi
passed=0
failed=0

# check NAME COMMAND…: runs it, shows its output only if it fails.
check() {
    local name=$1 out
    shift
    if [[ $name != *"$only"* ]]; then return; fi
    if out=$("$@" 2>&1); then
        printf 'ok      %s\n' "$name"
        passed=$((passed + 1))
    else
        printf 'FAILED  %s\n%s\n' "$name" "$out" | sed '2,$s/^/        /'
        failed=$((failed + 1))
    fi
}

skip() { printf 'skipped %s: %s\n' "$1" "$2"; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

check "alert rules" promtool check rules --lint=all --lint-fatal alerts/*.rules.yml
check "alert tests" promtool test rules alerts/*.test.yml
check "alerts: labels, runbooks, tests, metrics" python3 tests/ops/alerts.py .
check "alerts: a missing kind of test is noticed" python3 tests/ops/alerts.py . --prove
# With the rules where they are here: promtool says nothing of a pattern that finds no file.
scraped() {
    sed "s|/etc/prometheus/rules/|$root/alerts/|" deploy/prometheus/prometheus.yml >"$tmp/prometheus.yml"
    local out
    out=$(promtool check config "$tmp/prometheus.yml" 2>&1) || { echo "$out"; return 1; }
    grep -q "^  SUCCESS: $(find alerts -name '*.rules.yml' | wc -l) rule files found" <<<"$out" || { echo "$out"; return 1; }
}
check "scrape configuration" scraped
check "alertmanager configuration" amtool check-config alerts/alertmanager.yml
# The receiver "null" is empty on purpose.
check "alertmanager configuration, meaning" amlint check --strict --ignore empty-receiver \
    --rules 'alerts/*.rules.yml' alerts/alertmanager.yml
check "alertmanager routes" bash tests/ops/routes.sh alerts/alertmanager.yml
check "alertmanager inhibitions" python3 tests/ops/inhibitions.py .
check "dashboards" python3 tests/ops/dashboards.py .
check "dashboards: every rule can fail" python3 tests/ops/dashboards_test.py .
check "dashboards are what their source makes" python3 dashboards/source/generate.py --check
cp tests/ops/grafana/check.cjs "$grafana"
check "dashboards, by Grafana's own library" node "$grafana/check.cjs" "$root"
check "every metric is read by an alert or a dashboard" python3 tests/ops/coverage.py .
check "Dockerfile" hadolint --failure-threshold style Dockerfile
check "docker-compose.yml" docker-compose -f docker-compose.yml config -q
check "grafana provisioning" python3 tests/ops/provisioning.py .
check "prometheus operator, keys and rules" python3 tests/ops/operator_resources.py .
check "prometheus operator, what alerts/ make" python3 deploy/prometheus-operator/generate.py --check
check "stack and provisioning: every rule can fail" python3 tests/ops/stack_test.py .
check "deployment files agree" python3 tests/ops/manifests.py .
mapfile -t manifests < <(find deploy/kubernetes -name '*.yaml' ! -name kustomization.yaml | sort)
check "kubernetes manifests" kubernetes-validate --strict "${manifests[@]}"
if command -v kubectl >/dev/null; then
    rendered() {
        kubectl kustomize deploy/kubernetes >"$tmp/rendered.yaml" &&
            kubernetes-validate --strict "$tmp/rendered.yaml" &&
            kubectl kustomize deploy/prometheus-operator >"$tmp/rendered.yaml"
    }
    check "kubernetes kustomization" rendered
else
    skip "kubernetes kustomization" "no kubectl"
fi
if command -v systemd-analyze >/dev/null; then
    # The binary is not installed here, and verify insists on one.
    mkdir "$tmp/unit"
    sed 's|^ExecStart=.*|ExecStart=/bin/true|' deploy/systemd/match-list-processor.service \
        >"$tmp/unit/match-list-processor.service"
    cp deploy/systemd/match-list-processor.socket "$tmp/unit/"
    verified() {
        local out
        out=$(systemd-analyze verify --man=no "$1" 2>&1) || { echo "$out"; return 1; }
        # An unknown key is only a warning to systemd, and a hardening that is not there.
        if [ -n "$out" ]; then echo "$out"; return 1; fi
    }
    check "systemd unit" verified "$tmp/unit/match-list-processor.service"
    check "systemd socket" verified "$tmp/unit/match-list-processor.socket"
    check "systemd unit, exposure" systemd-analyze security --offline=yes --threshold=20 "$tmp/unit/match-list-processor.service"
else
    skip "systemd unit" "no systemd-analyze"
fi
check "shell scripts" shellcheck tests/*.sh tests/ops/*.sh
check "rules: every change is noticed" python3 tests/ops/mutations.py alerts

printf '%d passed, %d failed\n' "$passed" "$failed"
# A name that matches nothing is a mistake, not a success.
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
