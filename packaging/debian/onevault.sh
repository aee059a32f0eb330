#!/bin/sh
# The Node that the package brings, whatever else is installed.
exec /usr/lib/onevault/node/bin/node /usr/lib/onevault/bin/onevault "$@"
