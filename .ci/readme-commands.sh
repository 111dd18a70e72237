#!/usr/bin/env bash
# Runs the commands of the README: every fenced block that is marked `sh ci`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.build/release:$PATH"
commands=$(mktemp)
trap 'rm -f "$commands"' EXIT
awk '/^```sh ci$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$commands"
[ -s "$commands" ] || { echo "README.md has no command to run" >&2; exit 1; }
bash -euo pipefail -x "$commands" >/dev/null
echo "$(grep -c . "$commands") lines of commands ran"
