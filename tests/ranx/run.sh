#!/usr/bin/env bash
# Holds our metrics against ranx (PyPI): on lists made here, and on the dump folders that are named.
#
#   tests/ranx/run.sh BUILD_FOLDER [DUMP_FOLDER...]
#
# ranx goes into build/venv once. Skips, and says so, where it cannot be installed.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:?usage: tests/ranx/run.sh BUILD_FOLDER [DUMP_FOLDER...]}
shift
venv=$root/build/venv
wanted=$root/tests/ranx/requirements.txt

if ! cmp -s "$wanted" "$venv/installed"; then
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet -r "$wanted"; }; then
    echo "SKIPPED: ranx could not be installed (python3-venv and access to PyPI are needed);" \
      "our metrics were not compared" >&2
    exit 0
  fi
  cp "$wanted" "$venv/installed"
fi

dump=$build/tests/ranx_random
rm -rf "$dump"
"$build/tests/ranx_dump" "$dump"
exec "$venv/bin/python" "$root/tests/ranx/compare.py" "$dump" "$@"
