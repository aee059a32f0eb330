#!/bin/bash
# Inside a Debian root with the package installed, in a network of its own: the simulator, then a unit's ExecStart with the unit's user, groups and environment and
# without any privilege, as systemd would; the smoke run through its API; an end in order.
# Usage: in-root.sh UNIT
set -euo pipefail
unit=/lib/systemd/system/$1
value() { sed -n "s/^$1=//p" "$unit"; }
as() { setpriv --reuid onevault --regid onevault --clear-groups --no-new-privs env ONEVAULT_STATE_DIR=/var/lib/onevault "$@"; }

install -d -o onevault -g onevault /var/lib/cloud /srv/onevault
as onevault sim start --background --dir /var/lib/cloud --times 0 >/var/lib/cloud.env
[[ -e /var/lib/cloud.vm ]] || as bash -c '. /var/lib/cloud.env; onevault sim create-vm web --disk 8MiB' >/dev/null
touch /var/lib/cloud.vm
# What an administrator fills in.
sed -i '/^[A-Z]/d' /etc/onevault/server.env
sed "s/^export //; s/'//g" /var/lib/cloud.env >>/etc/onevault/server.env

mapfile -t environment < <(value Environment; sed -n '/^[A-Z]/p' "$(value EnvironmentFile)")
read -ra command <<<"$(value ExecStart | sed 's/ \$ONEVAULT_SERVER_OPTIONS//')"
[[ $(value CapabilityBoundingSet) == "" && $(value NoNewPrivileges) == yes && $(value User) == onevault ]]
# What an earlier run said is not what this one says.
: >/var/log/onevault.out
setpriv --reuid "$(value User)" --regid "$(value Group)" --groups "$(id -g onevault),$(getent group "$(value SupplementaryGroups)" | cut -d: -f3)" \
  --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
  env -i PATH=/usr/bin:/bin "${environment[@]}" "${command[@]}" >/var/log/onevault.out 2>/var/log/onevault.err &
server=$!
trap 'cat /var/log/onevault.err >&2' ERR
for _ in $(seq 600); do
  grep -q 'ready at' /var/log/onevault.out && break
  kill -0 "$server"
  sleep 0.1
done
url=$(sed -n 's/.*ready at \(http[^ ]*[^/ ]\).*/\1/p' /var/log/onevault.out)
# The process itself, not what started it.
[[ $(awk '/^Uid:/ {print $2}' "/proc/$server/status") == "$(id -u onevault)" && $(awk '/^CapEff:/ {print $2}' "/proc/$server/status") =~ ^0+$ ]]
/usr/lib/onevault/node/bin/node /run/smoke.mjs "$url" "$(cat "$(sed -n 's/^ONE_AUTH=//p' /etc/onevault/server.env)")" /srv/onevault/main
kill -TERM "$server"
wait "$server" || [[ $? == 143 || $? == 130 ]]
as bash -c '. /var/lib/cloud.env; onevault sim leftovers' >/dev/null
as onevault sim stop --dir /var/lib/cloud >/dev/null
