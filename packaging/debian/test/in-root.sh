#!/bin/bash
# Inside a Debian root with the package installed, in a network of its own: the simulator, then what the operator types (a file of commands, from the pages) to have the
# service running, the smoke run through its API, an end in order.
# Usage: in-root.sh UNIT COMMANDS
set -euo pipefail
unit=/lib/systemd/system/$1.service
value() { sed -n "s/^$1=//p" "$unit"; }
as() { setpriv --reuid onevault --regid onevault --clear-groups --no-new-privs env ONEVAULT_STATE_DIR=/var/lib/onevault "$@"; }

install -d -o onevault -g onevault /var/lib/cloud /srv/onevault
as onevault sim start --background --dir /var/lib/cloud --times 0 >/var/lib/cloud.env
. /var/lib/cloud.env
[[ -e /var/lib/cloud.vm ]] || as onevault sim create-vm web --disk 8MiB >/dev/null
touch /var/lib/cloud.vm

# What an earlier run filled in is another simulator's.
sed -i '/^[A-Z]/d' /etc/onevault/server.env
# Its proxy VM is a directory; a real one is the machine itself.
printf 'ONEVAULT_PROXY_ROOT=%s\n' "$ONEVAULT_PROXY_ROOT" >>/etc/onevault/server.env
sed -i "s#http://frontend:2633/RPC2#$ONE_XMLRPC#; s#backup:password-or-token#$(cat "$ONE_AUTH")#" "$2"
trap 'cat /var/log/onevault.err >&2' ERR
env -u ONE_XMLRPC -u ONE_AUTH bash -euo pipefail "$2"
server=$(cat "/run/$1.pid")
for _ in $(seq 600); do
  grep -q 'ready at' /var/log/onevault.out && break
  kill -0 "$server"
  sleep 0.1
done
url=$(sed -n 's/.*ready at \(http[^ ]*[^/ ]\).*/\1/p' /var/log/onevault.out)
# The process itself, not what started it.
[[ $(value CapabilityBoundingSet) == "" && $(value NoNewPrivileges) == yes && $(value User) == onevault ]]
[[ $(awk '/^Uid:/ {print $2}' "/proc/$server/status") == "$(id -u onevault)" && $(awk '/^CapEff:/ {print $2}' "/proc/$server/status") =~ ^0+$ ]]
/usr/lib/onevault/node/bin/node /run/smoke.mjs "$url" "$(cat "$ONE_AUTH")" /srv/onevault/main
systemctl stop "$1"
as onevault sim leftovers >/dev/null
as onevault sim stop --dir /var/lib/cloud >/dev/null
