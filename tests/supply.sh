#!/usr/bin/env bash
# What the program is built from: licences, sources and duplicates of its dependencies, a bill of
# materials, and that it needs no more of its machine than one folder.
#
#   tests/supply.sh               all checks; installs what is missing
#   tests/supply.sh --sbom FILE   only writes the bill of materials (CycloneDX 1.5, JSON)
#   tests/supply.sh --advisories  only asks RustSec's database, which GitHub serves
#   tests/supply.sh --install     installs only
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/match-list-processor
cyclonedx=0.5.9
bash tests/ops.sh --install
venv=$cache/venv-$(sha256sum tests/ops/requirements.txt | cut -c1-12)
export PATH=$cache/cyclonedx-$cyclonedx/bin:$venv/bin:$PATH

if [ "${1:-}" = --advisories ]; then
    exec cargo deny check advisories
fi
# Not optimised: it runs for a second, and takes half the time to compile.
command -v cargo-cyclonedx >/dev/null ||
    cargo install --quiet --locked --debug --root "$cache/cyclonedx-$cyclonedx" "cargo-cyclonedx@$cyclonedx"

# sbom FILE: the tool only writes beside the manifest.
sbom() {
    local name=bill-of-materials
    cargo cyclonedx --quiet --format json --spec-version 1.5 --override-filename "$name" &&
        mv "$name.json" "$1"
}
case ${1:-} in
    --install) exit 0 ;;
    --sbom)
        sbom "${2:?the file to write}"
        exit 0
        ;;
esac

echo "dependencies"
cargo deny --log-level error check bans licenses sources \
    --deny unmatched-skip --deny unnecessary-skip --deny license-not-encountered

echo "bill of materials"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sbom "$work/sbom.json"
python3 tests/ops/sbom.py "$work/sbom.json"

echo "read-only root, no capabilities, one volume"
[ -n "${MLP_BINARY:-}" ] || cargo build --quiet --locked
bash tests/ops/confined.sh "${MLP_BINARY:-target/debug/match-list-processor}"
