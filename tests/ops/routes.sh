#!/usr/bin/env bash
# Asks amtool which receiver an alert reaches. Usage: routes.sh ALERTMANAGER_YML
set -euo pipefail

config=$1
failed=0

# expect RECEIVER LABEL=VALUE…
expect() {
    local receiver=$1
    shift
    if ! out=$(amtool config routes test --config.file="$config" --verify.receivers="$receiver" "$@" 2>&1); then
        printf '%s: expected %s, got %s\n' "$*" "$receiver" "$out"
        failed=1
    fi
}

expect page alertname=MatchListProcessorDown severity=critical service=match-list-processor
expect ticket alertname=MatchListProcessorDeadLetters severity=warning service=match-list-processor
expect page alertname=MatchListProcessorCriticalDeadLetter severity=critical service=match-list-processor
expect page alertname=MatchListProcessorCycleBudgetFastBurn severity=critical service=match-list-processor slo=cycles
expect ticket alertname=MatchListProcessorCycleBudgetSlowBurn severity=warning service=match-list-processor slo=cycles
expect page alertname=MatchListProcessorAbsent severity=critical service=match-list-processor
expect null alertname=MatchListProcessorOpenToEverybody severity=info service=match-list-processor
expect null alertname=MatchListProcessorSomething severity=info service=match-list-processor
expect heartbeat alertname=MatchListProcessorWatchdog severity=info service=match-list-processor
# An alert without a severity is somebody's mistake: a person must see it.
expect ticket alertname=Unlabelled
exit "$failed"
