#!/usr/bin/env bash
# The Debian package: the same bytes whenever it is built, clean to lintian, and in a Debian of its own installed,
# upgraded, removed and purged; and in a container. These last need root; POSTERN_OFFLINE leaves it out.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
first=$(mktemp -d)
second=$(mktemp -d)
trap 'rm -rf -- "$first" "$second"' EXIT

deploy/package "$first"
# Later, in another folder, time zone and language.
TZ=Pacific/Auckland LANG=tr_TR.UTF-8 deploy/package --built "$second"
diff --recursive "$first" "$second"
lintian --allow-root --fail-on error,warning "$first"/*.deb
python3 - "$first"/*.cdx.json <<'END'
import json, sys
bill = json.load(open(sys.argv[1]))
names = [each["name"] for each in bill["components"]]
assert bill["bomFormat"] == "CycloneDX" and {"swift-crypto", "swift", "libsystemd0", "libsqlite3-0"} <= set(names), names
assert all(each["version"] and each["purl"] for each in bill["components"])
END
if [ "$(id -u)" -eq 0 ] && [ -z "${POSTERN_OFFLINE:-}" ]; then
    Tests/Rigs/debian-package "$first"/*.deb
    Tests/Rigs/container "$first"/*.deb
fi
