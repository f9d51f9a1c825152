#!/usr/bin/env bash
# Holds the running daemon against its own OpenAPI documents: schemathesis asks what they allow and
# what they do not, on both listeners, with an open door and with a guarded one.
#
#   tests/openapi.sh            all of it; SEED=7 repeats a run, EXAMPLES=1000 takes longer
#   tests/openapi.sh --control  a document that promises something else must be found out
#
# In the folder that MLP_KEEP_OUTPUT names it keeps what the daemons logged, for tests/privacy.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tests/ops.sh --install
cache=${XDG_CACHE_HOME:-$HOME/.cache}/match-list-processor
venv=$cache/venv-$(sha256sum tests/ops/requirements.txt | cut -c1-12)
export PATH=$venv/bin:$PATH
seed=${SEED:-1} examples=${EXAMPLES:-100}
work=$(mktemp -d) daemon=''
stop() {
    [ -n "$daemon" ] || return 0
    kill "$daemon" && wait "$daemon"
    daemon=''
    [ -z "${MLP_KEEP_OUTPUT:-}" ] || cat "$work/log" >>"$MLP_KEEP_OUTPUT/log-openapi.txt"
}
trap 'stop || true; rm -rf "$work"' EXIT

# address LISTENER: where it is.
address() {
    local found='' tries
    for ((tries = 0; tries < 200; tries++)); do
        found=$(sed -n "/\"listener\":\"$1\"/s/.*\"address\":\"\([^\"]*\)\".*/\1/p" "$work/log")
        [ -z "$found" ] || break
        sleep 0.05
    done
    [ -n "$found" ] || {
        cat "$work/log" >&2
        return 1
    }
    printf '%s\n' "$found"
}

# start NAME=VALUE…: a daemon with these settings beside the usual ones.
start() {
    rm -rf "$work/data"
    mkdir "$work/data"
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/ops/e2e python3 -c 'import json, neighbours
print(json.dumps([neighbours.a_match(number) for number in (1, 2)]))' >"$work/list.json"
    env "$@" PROCESSOR_MODE=event-driven HOST=127.0.0.1 PORT=0 ADMIN_LISTEN=127.0.0.1:0 LOG_FORMAT=json \
        DATA_FOLDER="$work/data" API_BASE_URL="file://$work/list.json" ASSET_STORE_URL="file://$work/files" \
        WHATSAPP_AVATAR_SERVICE_URL=embedded QUEUE_CAPACITY=1000000 \
        "${MLP_BINARY:-target/debug/match-list-processor}" 2>"$work/log" &
    daemon=$!
}

# ask SCHEMA OPTION…: what it finds is a failure. One worker: Python 3.11 counts the depth of its parser for all
# threads together, and fails now and then where two of them parse.
ask() {
    (cd "$work" && schemathesis run "$@" --checks all --max-examples "$examples" --seed "$seed" --workers 1 \
        --warnings off --no-color >"$work/told" 2>&1) || {
        cat "$work/told" >&2
        return 1
    }
    grep -E '^  [0-9]+ generated' "$work/told"
}

[ -n "${MLP_BINARY:-}" ] || cargo build --quiet --locked
if [ "${1:-}" = --control ]; then
    start
    base=http://$(address Public)
    curl -fsS "$base/openapi.json" | python3 -c '
import json, sys
document = json.load(sys.stdin)
document["components"]["schemas"]["Root"]["properties"]["processing_count"]["type"] = "string"
json.dump(document, sys.stdout)' >"$work/wrong.json"
    if ask "$work/wrong.json" --url "$base" 2>/dev/null; then
        echo "a document with a wrong type was not found out" >&2
        exit 1
    fi
    grep -q 'processing_count' "$work/told"
    echo "a document with a wrong type was found out"
    stop
    exit
fi

start
echo "public, open"
ask "http://$(address Public)/openapi.json"
echo "administration, local"
ask "http://$(address Admin)/openapi.json"
stop
start WEBHOOK_AUTH=bearer WEBHOOK_SECRET=an-invented-token ADMIN_TOKEN=another-invented-token
echo "public, with a token"
ask "http://$(address Public)/openapi.json" --header 'Authorization: Bearer an-invented-token'
echo "public, without its token"
ask "http://$(address Public)/openapi.json" --exclude-checks positive_data_acceptance
echo "administration, with its token"
ask "http://$(address Admin)/openapi.json" --header 'Authorization: Bearer another-invented-token'
stop
if grep -q 'panicked' "$work/log"; then
    cat "$work/log" >&2
    exit 1
fi
