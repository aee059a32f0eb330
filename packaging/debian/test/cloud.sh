#!/bin/bash
# Inside a Debian root with the package installed: an OpenNebula, which is the simulator, with a VM; and what stands for it in the operator's pages.
set -euo pipefail
as() { setpriv --reuid onevault --regid onevault --clear-groups --no-new-privs env ONEVAULT_STATE_DIR=/var/lib/cloud/journal "$@"; }

install -d -o onevault -g onevault /var/lib/cloud
as onevault sim start --background --dir /var/lib/cloud --times 0 >/var/lib/cloud/env
. /var/lib/cloud/env
as onevault sim create-vm web --disk 8MiB
# Its proxy VM is a directory; a real one is the machine itself.
cat >/run/cloud.sed <<END
s#^ONE_XMLRPC=http://frontend:2633/RPC2#ONE_XMLRPC=$ONE_XMLRPC\nONEVAULT_PROXY_ROOT=$ONEVAULT_PROXY_ROOT#
s#backup:password-or-token#$(cat "$ONE_AUTH")#
END
