#!/bin/sh
# What the public image's entrypoint does: the folder for the account, and then the server as that account.
set -eu
chown 999:999 /data
exec setpriv --reuid 999 --regid 999 --clear-groups "$@"
