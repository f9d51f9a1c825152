#!/usr/bin/env bash
# Coverage-guided fuzzing: every target of fuzz/ for FUZZ_SECONDS (30) from its kept corpus, as many
# at a time as there are cores.
#
#   tests/fuzz.sh [TARGET…]  all targets, or these; what is found is not kept
#   tests/fuzz.sh --build    builds only
#   tests/fuzz.sh --install  installs only
#
# To keep an input, such as one that broke something, copy it to fuzz/corpus/TARGET.
#
# No sanitizer, so that the compiler of the program will do: nothing here is unsafe, and what the
# targets look for are panics, broken promises, and too much time or memory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${FUZZ_SECONDS:-30}
seed=${FUZZ_SEED:-0} # of each target; 0 is another one every time
jobs=$(nproc)
triple=$(rustc -vV | sed -n 's/^host: //p')
binaries=fuzz/target/$triple/release
longest=16384 # bytes of an input

# one TARGET: fuzzes it and tells its figures in one line, or all that it said if it failed.
one() {
    local target=$1 corpus=fuzz/corpus/$1 dictionary=fuzz/dictionaries/$1.dict work log status=0
    [ -e "$dictionary" ] || dictionary=fuzz/dictionaries/json.dict
    work=$(mktemp -d)
    log=$work/log
    mkdir -p "$work/corpus" "fuzz/artifacts/$target"
    # New inputs go to the first folder; the second is only read.
    "$binaries/$target" "$work/corpus" "$PWD/$corpus" -dict="$PWD/$dictionary" -max_total_time="$seconds" \
        -seed="$seed" -max_len="$longest" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$PWD/fuzz/artifacts/$target/" >"$log" 2>&1 || status=$?
    local runs new kept
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    kept=$(find "$corpus" -type f | wc -l)
    new=$(find "$work/corpus" -type f | wc -l)
    if [ "$status" -ne 0 ] || [ "${runs:-0}" -le "$kept" ]; then
        # Not what was new on the way, but what broke and where the input is.
        grep -av '^#\|NEW_FUNC' "$log" >&2 || true
        printf '%s failed. Again: %s\n' "$target" \
            "bash tests/fuzz.sh --build && $binaries/$target fuzz/artifacts/$target/FILE" >&2
        status=1
    else
        printf '%-13s %9d inputs in %s s from %d kept ones, %d more\n' \
            "$target" "$runs" "$seconds" "$kept" "$new"
    fi
    rm -rf "$work"
    return "$status"
}

# same_versions: what is fuzzed is what is shipped.
same_versions() {
    packages() { sed -n '/^name = /{N;s/name = "\(.*\)"\nversion = "\(.*\)"/\1 \2/p}' "$1" | sort -u; }
    local other
    other=$(comm -23 <(packages fuzz/Cargo.lock) <(packages Cargo.lock) |
        grep -vE '^(arbitrary|libfuzzer-sys|match-list-processor-fuzz) ' || true)
    if [ -n "$other" ]; then
        echo "fuzz/Cargo.lock has versions that Cargo.lock has not; copy Cargo.lock over it and run" >&2
        echo "cargo metadata --manifest-path fuzz/Cargo.toml. It is about:" "$other" >&2
        return 1
    fi
}

build() {
    cargo fmt --check --manifest-path fuzz/Cargo.toml
    same_versions
    cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
    cargo fuzz build --sanitizer none --codegen-units 16
}

if [ "${1:-}" = --one ]; then
    one "$2"
    exit
fi
bash tests/ops.sh --install
cache=${XDG_CACHE_HOME:-$HOME/.cache}/match-list-processor
venv=$cache/venv-$(sha256sum tests/ops/requirements.txt | cut -c1-12)
export PATH=$venv/bin:$PATH
case ${1:-} in
    --install) exit 0 ;;
    --build)
        build
        exit 0
        ;;
esac
begun=$SECONDS
build
echo "built in $((SECONDS - begun)) s"
if [ $# -eq 0 ]; then
    mapfile -t targets < <(cargo fuzz list)
    set -- "${targets[@]}"
fi
printf '%s\n' "$@" | xargs -P "$jobs" -I{} bash tests/fuzz.sh --one {}
