#!/usr/bin/env bash
# Runs the commands of the README and of deploy/README.md: every fenced block that is marked `sh ci`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.build/release:$PATH"
commands=$(mktemp)
trap 'rm -f "$commands"' EXIT
for page in README.md deploy/README.md; do
    awk '/^```sh ci$/ { on = 1; next } /^```$/ { on = 0 } on' "$page" >"$commands"
    [ -s "$commands" ] || { echo "$page has no command to run" >&2; exit 1; }
    bash -euo pipefail -x "$commands" >/dev/null
    echo "$page: $(grep -c . "$commands") lines of commands ran"
done
