#!/bin/bash
# What of systemctl the operator's pages and the package's scripts use, for a root without systemd: a unit's ExecStart with the unit's user, groups and environment
# and without any privilege, as systemd would start it.
set -euo pipefail
verb='' units=()
for word; do
  case $word in
    -*) ;;
    *) if [[ -z $verb ]]; then verb=$word; else units+=("${word%.service}"); fi ;;
  esac
done
file() { echo "/lib/systemd/system/$1.service"; }
value() { sed -n "s/^$2=//p" "$(file "$1")"; }
alive() { [[ -s /run/$1.pid ]] && kill -0 "$(cat "/run/$1.pid")" 2>/dev/null; }

start() {
  ! alive "$1" || return 0
  local environment command groups
  mapfile -t environment < <(value "$1" Environment; sed -n '/^[A-Z]/p' "$(value "$1" EnvironmentFile)")
  read -ra command <<<"$(value "$1" ExecStart | sed 's/ \$ONEVAULT_SERVER_OPTIONS//')"
  [[ $(value "$1" CapabilityBoundingSet) == "" && $(value "$1" NoNewPrivileges) == yes ]]
  groups=$(id -g "$(value "$1" User)")
  [[ -z $(value "$1" SupplementaryGroups) ]] || groups+=,$(getent group "$(value "$1" SupplementaryGroups)" | cut -d: -f3)
  # What an earlier run said is not what this one says.
  : >/var/log/onevault.out
  setsid setpriv --reuid "$(value "$1" User)" --regid "$(value "$1" Group)" --groups "$groups" --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
    env -i PATH=/usr/bin:/bin "${environment[@]}" "${command[@]}" >/var/log/onevault.out 2>/var/log/onevault.err </dev/null &
  echo $! >"/run/$1.pid"
}

stop() {
  alive "$1" || return 0
  kill -TERM "$(cat "/run/$1.pid")"
  touch "/run/$1.stopping"
  # As long as TimeoutStopSec.
  for _ in $(seq "$(value "$1" TimeoutStopSec)0"); do alive "$1" || break; sleep 0.1; done
  rm "/run/$1.stopping"
  ! alive "$1"
}

[[ $verb != daemon-reload ]] || exit 0
for unit in "${units[@]}"; do
  case $verb in
    enable | start) start "$unit" ;;
    disable | stop) stop "$unit" ;;
    restart) stop "$unit"; start "$unit" ;;
    try-restart) ! alive "$unit" || { stop "$unit"; start "$unit"; } ;;
    is-active) alive "$unit" && echo active ;;
    *) echo "systemctl $verb: neither the pages nor the package's scripts use it" >&2; exit 99 ;;
  esac
done
