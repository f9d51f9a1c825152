#!/usr/bin/env bash
# Runs the harnesses in their long form and writes docs/reliability.md from what they found. The
# newest and the largest run of each harness are in docs/reliability.json.
#
#   tests/campaign.sh               all of them: hours
#   tests/campaign.sh kill slow     these
#   tests/campaign.sh --quick …     in the sizes that CI runs: minutes
#   SEED=7 tests/campaign.sh …      with another seed
#   MINUTES=60 tests/campaign.sh kill shutdown
#                                   as many rounds of these two as an hour allows
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
seed=(--seed "${SEED:-1}")
declare -A sizes=(
    [kill]='--rounds 10000' [power]='--states 100000' [edge]='--requests 1000000' [shutdown]='--rounds 500'
    [slow]='' [control]='--all'
)
if [ "${1:-}" = --quick ]; then
    shift
    for harness in "${!sizes[@]}"; do sizes[$harness]=''; done
fi
if [ -n "${MINUTES:-}" ]; then
    for harness in kill shutdown; do sizes[$harness]="--minutes $MINUTES"; done
fi
[ $# -gt 0 ] || set -- kill power edge shutdown slow control
for harness in "$@"; do [ -n "${sizes[$harness]+known}" ] || usage; done

bash tests/run.sh --install
# What is shipped, optimised: a kill meets it where it meets the users' daemon, and more rounds fit into an hour.
cargo build --quiet --release --locked
program=$PWD/target/release/match-list-processor
found=$(mktemp)
trap 'rm -f "$found"' EXIT
failed=0
for harness in "$@"; do
    read -ra arguments <<<"${sizes[$harness]}"
    case $harness in slow | control) ;; *) arguments+=("${seed[@]}") ;; esac
    # The controls build their own.
    [ "$harness" = control ] || arguments+=(--binary "$program")
    # One that fails is told at the end; the others still run.
    cargo test --quiet --locked --test reliability -- "$harness" "${arguments[@]}" --report "$found" || failed=1
done
python3 tests/campaign.py "$found" "$(git describe --always --dirty)" "$@"
exit "$failed"
