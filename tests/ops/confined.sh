#!/usr/bin/env bash
# Runs the program as the container does: not root, no capabilities, nothing to write but one folder.
#
#   confined.sh BINARY    needs root, for a mount namespace of its own
set -euo pipefail

work=$(mktemp -d)
daemon=''
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
chmod 0755 "$work"
install -m 0755 "$1" "$work/program"
install -d -o 65532 -g 65532 -m 0750 "$work/data"
cp deploy/compose/matches.json "$work/list.json"
chmod 0644 "$work/list.json"

cat >"$work/confine" <<'INSIDE'
set -euo pipefail
work=$1
mount --make-rprivate /
mount --bind "$work/data" "$work/data"
while read -r mounted kind; do
    case $kind:$mounted in
        *:"$work/data" | proc:* | sysfs:* | cgroup*:* | devpts:* | mqueue:*) ;;
        *) mount -o remount,bind,ro "$mounted" 2>/dev/null || true ;;
    esac
done < <(awk '{ print $2, $3 }' /proc/mounts)
bare=(setpriv --reuid 65532 --regid 65532 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs)
# Is it as tight as it looks?
for place in / /tmp /var/tmp /dev/shm "$work"; do
    [ -d "$place" ] || continue
    if touch "$place/written" 2>/dev/null; then
        rm -f "$place/written"
        echo "$place can be written: nothing is proven" >&2
        exit 1
    fi
done
"${bare[@]}" grep -q '^CapBnd:[[:space:]]*0*$' /proc/self/status
cd "$work/data"
exec "${bare[@]}" "$work/program"
INSIDE

env -i PATH="$PATH" PROCESSOR_MODE=event-driven HOST=127.0.0.1 PORT=0 ADMIN_LISTEN=off DATA_FOLDER="$work/data" \
    API_BASE_URL="file://$work/list.json" WHATSAPP_AVATAR_SERVICE_URL=embedded \
    ASSET_STORE_URL="file://$work/data/assets" LOG_FORMAT=json \
    unshare --mount bash "$work/confine" "$work" 2>"$work/log" &
daemon=$!
address=''
for _ in $(seq 100); do
    address=$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$work/log" | head -n 1)
    [ -z "$address" ] || break
    kill -0 "$daemon" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done
answer=$(curl -fsS --max-time 30 -X POST -H 'Prefer: wait=20' "http://$address/process")
grep -q '"status":"success"' <<<"$answer" || { echo "the cycle did not succeed: $answer" >&2; exit 1; }
pictures=0
for _ in $(seq 100); do
    pictures=$(find "$work/data/assets" -name '*.png' 2>/dev/null | wc -l)
    [ "$pictures" -eq 0 ] || break
    sleep 0.1
done
[ "$pictures" -gt 0 ] || { echo "no picture was stored" >&2; cat "$work/log" >&2; exit 1; }
kill -TERM "$daemon"
wait "$daemon"
daemon=''
echo "it looked, stored $pictures pictures and stopped in order"
