#!/bin/sh
# What a container does: `worker` (also without a word), any command of sessioncache (`maintain`, `doctor`, `audit`, …), or a
# program by its path.
set -eu

case "${1:-worker}" in
worker)
    exec sessioncache-worker
    ;;
/*)
    exec "$@"
    ;;
*)
    exec sessioncache "$@"
    ;;
esac
