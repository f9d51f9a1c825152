#!/usr/bin/env bash
# Alerts and dashboards with the real daemon, Prometheus and Alertmanager: every alert must reach its
# receiver when its fault is injected, and be resolved once that is mended; then no query of a
# dashboard or of a runbook may be empty. All durations of the shipped rules are divided by 120. Takes
# some three minutes, and needs root, as it mounts a disk and attaches to a process.
#
#   tests/alerts-e2e.sh                 all faults
#   tests/alerts-e2e.sh --only NAME     one of tests/ops/e2e/faults.py (drive-hangs)
#   tests/alerts-e2e.sh --keep          leaves the folder with all logs and Prometheus' data
#
# In the folder that MLP_KEEP_OUTPUT names it keeps what the daemons said, for tests/privacy.py.
# MLP_BINARY names another binary than target/debug/match-list-processor, which is built otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ "$(id -u)" -eq 0 ] || {
    echo "tests/alerts-e2e.sh mounts a disk and attaches to a process: it needs root" >&2
    exit 1
}
bash tests/ops.sh --install
cache=${XDG_CACHE_HOME:-$HOME/.cache}/match-list-processor
venv=$cache/venv-$(sha256sum tests/ops/requirements.txt | cut -c1-12)
export PATH=$venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
[ -n "${MLP_BINARY:-}" ] || cargo build --quiet --locked
PYTHONPATH=tests/ops/e2e python3 -m unittest --quiet tests/ops/e2e/test_scale.py
python3 tests/ops/e2e/run.py . "$@"
