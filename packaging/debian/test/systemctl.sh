#!/bin/bash
# What of systemctl the operator's pages use, for a root without systemd: a unit's ExecStart with the unit's user, groups and environment and without any
# privilege, as systemd would start it.
set -euo pipefail
verb=$1
unit=${*: -1}
file=/lib/systemd/system/${unit%.service}.service
pidfile=/run/${unit%.service}.pid
value() { sed -n "s/^$1=//p" "$file"; }
alive() { [[ -s $pidfile ]] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }

start() {
  alive && return
  local environment command groups
  mapfile -t environment < <(value Environment; sed -n '/^[A-Z]/p' "$(value EnvironmentFile)")
  read -ra command <<<"$(value ExecStart | sed 's/ \$ONEVAULT_SERVER_OPTIONS//')"
  groups=$(id -g "$(value User)")
  [[ -z $(value SupplementaryGroups) ]] || groups+=,$(getent group "$(value SupplementaryGroups)" | cut -d: -f3)
  # What an earlier run said is not what this one says.
  : >/var/log/onevault.out
  setsid setpriv --reuid "$(value User)" --regid "$(value Group)" --groups "$groups" --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
    env -i PATH=/usr/bin:/bin "${environment[@]}" "${command[@]}" >/var/log/onevault.out 2>/var/log/onevault.err </dev/null &
  echo $! >"$pidfile"
}

stop() {
  alive || return 0
  kill -TERM "$(cat "$pidfile")"
  for _ in $(seq 300); do alive || break; sleep 0.1; done
  ! alive
}

case $verb in
  enable | start) start ;;
  stop) stop ;;
  restart) stop; start ;;
  is-active) alive && echo active ;;
  *) echo "systemctl $verb: not among what the pages use" >&2; exit 99 ;;
esac
