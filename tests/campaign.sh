#!/usr/bin/env bash
# Runs the harnesses in their long form and writes docs/reliability.md from what they found.
#
#   tests/campaign.sh           all of them: hours
#   tests/campaign.sh --quick   the sizes that CI runs: minutes
#   SEED=7 tests/campaign.sh    with another seed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seed=${SEED:-1}
case ${1:-} in
    --quick) rounds=200 states=2000 requests=20000 stops=20 slow=5000 idle=10000 controls=() ;;
    '') rounds=10000 states=100000 requests=1000000 stops=500 slow=5000 idle=10000 controls=(--all) ;;
    *)
        sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
bash tests/run.sh --install
mkdir -p target
record=target/campaign.jsonl
: >"$record"
failed=()
# harness NAME ARGUMENT…: one that fails is told at the end; the others still run.
harness() {
    cargo test --quiet --locked --test reliability -- "$@" --report "$record" || failed+=("$1")
}
harness kill --rounds "$rounds" --seed "$seed"
harness power --states "$states" --seed "$seed"
harness edge --requests "$requests" --seed "$seed"
harness shutdown --rounds "$stops" --seed "$seed"
harness slow --slow "$slow" --idle "$idle"
harness control "${controls[@]}"
python3 tests/campaign.py "$record" "$(git describe --always --dirty)" "${failed[*]:-}" >docs/reliability.md
echo "docs/reliability.md is written"
if [ "${#failed[@]}" -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
