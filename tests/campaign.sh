#!/usr/bin/env bash
# Tries the promises in their long form and writes docs/reliability.md from what was found. The
# newest and the largest run of each kind are in docs/reliability.json.
#
#   tests/campaign.sh               all of them: hours
#   tests/campaign.sh kill model    these, of kill power edge shutdown slow control model outages
#                                   faults fuzz
#   tests/campaign.sh --quick …     in the sizes that CI runs: minutes
#   SEED=7 tests/campaign.sh …      with another seed
#   MINUTES=60 tests/campaign.sh kill shutdown
#                                   as many rounds of these two as an hour allows
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
SEED=${SEED:-1}
declare -A sizes=(
    [kill]='--rounds 10000' [power]='--states 100000' [edge]='--requests 1000000' [shutdown]='--rounds 500'
    [slow]='' [control]='--all' [model]='2000' [outages]='' [faults]='' [fuzz]='300'
)
if [ "${1:-}" = --quick ]; then
    shift
    for harness in "${!sizes[@]}"; do sizes[$harness]=''; done
fi
if [ -n "${MINUTES:-}" ]; then
    for harness in kill shutdown; do sizes[$harness]="--minutes $MINUTES"; done
fi
[ $# -gt 0 ] || set -- kill power edge shutdown slow control model outages faults fuzz
for harness in "$@"; do [ -n "${sizes[$harness]+known}" ] || usage; done

bash tests/run.sh --install
# What is shipped, optimised: a kill meets it where it meets the users' daemon, and more rounds fit into an hour.
cargo build --quiet --release --locked
program=$PWD/target/release/match-list-processor
found=$(mktemp)
trap 'rm -f "$found"' EXIT
failed=0

# report FORM NAME COMMAND…: runs it and keeps what it told in the form that tests/campaign.py reads.
report() {
    local form=$1 name=$2 said begun=$SECONDS
    shift 2
    said=$(mktemp)
    if "$@" 2>&1 | tee "$said"; then
        python3 tests/campaign.py --report "$form" "$name" "$SEED" "$((SECONDS - begun))" "$said" "$found"
    else
        failed=1
    fi
    rm -f "$said"
}

# Before filters: these of the end-to-end tests.
it=(cargo test --quiet --locked --test it --)

for harness in "$@"; do
    read -ra arguments <<<"${sizes[$harness]}"
    case $harness in
        model)
            export PROPTEST_CASES=${arguments[0]:-40}
            report cases model env PROPTEST_RNG_SEED="$SEED" cargo test --quiet --locked --lib model_tests
            unset PROPTEST_CASES
            ;;
        outages) report tests outages "${it[@]}" outages:: repeats:: ;;
        faults)
            # Those that the page names.
            mapfile -t named < <(grep -oP '\x60\K[a-z_]+::[a-z_]*(?=\x60)' docs/faults.md | sort -u)
            report tests faults "${it[@]}" "${named[@]}"
            ;;
        fuzz) report inputs fuzz env FUZZ_SECONDS="${arguments[0]:-30}" FUZZ_SEED="$SEED" bash tests/fuzz.sh ;;
        *)
            case $harness in slow | control) ;; *) arguments+=(--seed "$SEED") ;; esac
            # The controls build their own.
            [ "$harness" = control ] || arguments+=(--binary "$program")
            # One that fails is told at the end; the others still run.
            cargo test --quiet --locked --test reliability -- "$harness" "${arguments[@]}" --report "$found" || failed=1
            ;;
    esac
done
python3 tests/campaign.py "$found" "$(git describe --always --dirty)" "$@"
exit "$failed"
