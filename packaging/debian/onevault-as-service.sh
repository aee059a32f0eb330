#!/bin/sh
# The command line as the services have it: their user, their settings, their state. For root.
set -e
while IFS= read -r line; do
  case $line in [A-Z]*=*) export "${line?}" ;; esac
done </etc/onevault/server.env
export ONEVAULT_STATE_DIR=/var/lib/onevault HOME=/var/lib/onevault
cd /
exec setpriv --reuid onevault --regid onevault --init-groups /usr/bin/onevault "$@"
