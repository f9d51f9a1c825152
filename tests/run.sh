#!/usr/bin/env bash
# Every check of the project, from a fresh Debian machine with Rust: installs what is missing, starts
# the real servers itself, and fails where something cannot run.
#
#   bash tests/run.sh            everything
#   bash tests/run.sh --install  only installs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

say "tools"
missing=()
for pair in cc:build-essential python3:python3-venv curl:curl jq:jq git:git strace:strace faketime:faketime \
    mkfs.ext4:e2fsprogs nsenter:util-linux mount:mount ss:iproute2; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
cargo fmt --version >/dev/null || rustup component add rustfmt
cargo clippy --version >/dev/null || rustup component add clippy
bash tests/ops.sh --install
cache=${XDG_CACHE_HOME:-$HOME/.cache}/match-list-processor
venv=$cache/venv-$(sha256sum tests/ops/requirements.txt | cut -c1-12)
export PATH=$PATH:$venv/bin
# The libraries with which senders sign. A script finds them only where it stands itself.
senders=$venv/senders
mkdir -p "$senders"
if ! cmp -s tests/senders/package-lock.json "$senders/node_modules/complete"; then
    cp tests/senders/package.json tests/senders/package-lock.json "$senders"
    npm ci --prefix "$senders" --silent --no-audit --no-fund
    cp tests/senders/package-lock.json "$senders/node_modules/complete"
fi
cp tests/senders/send.mjs "$senders"
if [ "${1:-}" = --install ]; then
    echo "for single tests: export PATH=\$PATH:$venv/bin"
    exit 0
fi

say "format"
cargo fmt --check

say "lints"
cargo clippy --quiet --all-targets --locked -- -D warnings

say "tests"
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
mkdir "$kept/all" "$kept/leak" "$kept/ops"
MLP_KEEP_OUTPUT=$kept/all cargo test --quiet --locked

say "nothing personal in logs, spans, metrics, answers and errors of the tests"
python3 tests/privacy.py "$kept/all"
MLP_KEEP_OUTPUT=$kept/leak cargo test --quiet --locked --test it -- --ignored --exact traces::a_leak_on_purpose
python3 tests/privacy.py --control "$kept/leak"

say "documentation"
# There are no examples; with them it takes what the lints have checked, instead of all dependencies once more
# without the features that tests bring along. That it builds without these the fuzz targets show.
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --locked --document-private-items --lib --bins --examples

# What the tests ran. `cargo build` would compile a good part of the dependencies once more, with fewer features.
export MLP_BINARY=$PWD/target/debug/match-list-processor

say "the main job: demo --once"
work=$(mktemp -d)
daemon=''
alerts=''
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; [ -z "$alerts" ] || wait "$alerts" || true; rm -rf "$work" "$kept"' EXIT
"$MLP_BINARY" demo --once --folder "$work/demo" >"$work/demo.txt"
grep -q 'Stopped in order' "$work/demo.txt"
pictures=$(find "$work/demo/files" -name 'whatsapp_group_avatar_match_*.png' | wc -l)
texts=$(find "$work/demo/files" -name 'whatsapp_group_info_match_*.txt' | wc -l)
[ "$pictures" -ge 8 ] && [ "$texts" -ge 8 ] || {
    echo "the demonstration wrote $pictures pictures and $texts texts; at least 8 each were expected" >&2
    exit 1
}

say "metrics, by promtool and the reference parser of OpenMetrics"
mkdir "$work/data"
printf '[]' >"$work/list.json"
PROCESSOR_MODE=event-driven HOST=127.0.0.1 PORT=0 ADMIN_LISTEN=off DATA_FOLDER="$work/data" \
    API_BASE_URL="file://$work/list.json" WHATSAPP_AVATAR_SERVICE_URL=embedded \
    ASSET_STORE_URL="file://$work/files" LOG_FORMAT=json \
    "$MLP_BINARY" 2>"$work/log" &
daemon=$!
for _ in $(seq 100); do
    address=$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$work/log" | head -n 1)
    [ -z "$address" ] || break
    sleep 0.1
done
curl -fsS -X POST -H 'Prefer: wait=20' "http://$address/process" >/dev/null
# A route has its histogram after it was first asked.
curl -fsS "http://$address/metrics/prom" >/dev/null
curl -fsS "http://$address/metrics/prom" >"$work/metrics.txt"
promtool check metrics <"$work/metrics.txt"
curl -fsS -H 'Accept: application/openmetrics-text; version=1.0.0' "http://$address/metrics/prom" >"$work/openmetrics.txt"
"$venv/bin/python" tests/ops/openmetrics.py "$work/openmetrics.txt" "$work/metrics.txt"
kill -TERM "$daemon"
wait "$daemon"
daemon=''

say "the commands of the runbooks, asked of a daemon"
"$venv/bin/python" tests/ops/runbooks.py . --run "$MLP_BINARY"

# It mostly waits for alerts, so the next checks need not wait for it.
say "alerts and dashboards, with the real servers: begun"
MLP_KEEP_OUTPUT=$kept/ops bash tests/alerts-e2e.sh >"$work/alerts.txt" 2>&1 &
alerts=$!

say "the OpenAPI documents, by schemathesis"
MLP_KEEP_OUTPUT=$kept/ops bash tests/openapi.sh
bash tests/openapi.sh --control

say "alerts, dashboards, deployment"
bash tests/ops.sh

say "alerts and dashboards, with the real servers: ended"
status=0
wait "$alerts" || status=$?
alerts=''
cat "$work/alerts.txt"
[ "$status" -eq 0 ]
python3 tests/privacy.py "$kept/ops" log spans metrics

say "dependencies, bill of materials, confinement"
bash tests/supply.sh

say "fuzz targets"
bash tests/fuzz.sh

say "all passed"
