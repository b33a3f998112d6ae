#!/bin/sh
# Makes a virtual environment with everything the project needs, and leaves one that is already right alone.
#
#   scripts/venv.sh FOLDER STAMP PIP-ARGUMENT...
#
# PYTHON names the interpreter to use; otherwise the first of python3, python3.13, python3.12, python3.11 that is 3.11 or
# newer is taken. STAMP is touched last, so an interrupted run is repeated from the start by the next one.
set -eu

folder=$1
stamp=$2
shift 2

new_enough() {
    # Runs the candidate: a name on PATH may be a shim for a version that is not installed.
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

fail() {
    echo "venv: $1" >&2
    exit 1
}

if [ -n "${PYTHON:-}" ]; then
    new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer that runs here."
else
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if new_enough "$candidate"; then
            PYTHON=$candidate
            break
        fi
    done
    [ -n "${PYTHON:-}" ] || fail "Python 3.11 or newer is needed and none is on PATH. Install one, or say: make PYTHON=/path/to/python3.11"
fi

# An environment whose interpreter is gone, too old or without pip is made anew; a sound one is only brought up to date.
if ! new_enough "$folder/bin/python" || ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "venv: making $folder with $("$PYTHON" --version)"
    rm -rf "$folder"
    if ! "$PYTHON" -m venv "$folder"; then
        rm -rf "$folder"
        fail "$PYTHON cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"
    fi
fi

echo "venv: installing into $folder (a minute the first time)"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
    fail "pip could not install the packages; its message is above."
touch "$stamp"
