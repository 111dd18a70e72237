#!/usr/bin/env bash
# Runs tests under ThreadSanitizer and AddressSanitizer: what passes between threads, and what reads hostile bytes and holds
# tables of its own. In a package of their own, so that nothing else is built for it.
#
# usage: .ci/sanitize.sh [--engine]
# With --engine, or POSTERN_NIGHTLY set, the rules, the state, evidence and the whole pipeline too; twenty minutes more, most of
# them for building.
set -euo pipefail
engine=${POSTERN_NIGHTLY:-}
[ "${1:-}" != --engine ] || engine=yes
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
top=$PWD
work=$top/.build-sanitize
mkdir -p "$work/Sources" "$work/Tests"
rooms=(RingBuffer LinuxIO LogSources Records SafeText MailEvents MailText MailLog Memory CLinux CArchive CBzip2 CISAL CIdn CLz4
    CLzma CSystemd CZstd)
[ -z "$engine" ] || rooms+=(Findings Sigma Detection Evidence State Alerting Pipeline CPCRE2 CCurl)
for room in "${rooms[@]}"; do ln -sfn "$top/Sources/$room" "$work/Sources/$room"; done
tests=(RingBuffer LogSources MailText MailLog Memory)
[ -z "$engine" ] || tests+=(Sigma Detection Evidence State Pipeline)
for room in "${tests[@]}"; do
    ln -sfn "$top/Tests/${room}Tests" "$work/Tests/${room}Tests"
done
for folder in TestSupport Corpus Fuzz Golden Hostile Samples; do ln -sfn "$top/Tests/$folder" "$work/Tests/$folder"; done
[ -z "$engine" ] || ln -sfn "$top/rules" "$work/rules"
# A dependency as Package.swift pins it.
pinned() { sed -n 's|.*\(\.package(url: "[^"]*/'"$1"'", [^)]*)\),$|\1,|p' Package.swift; }
packages=$(pinned swift-system)
engine_targets=
if [ -n "$engine" ]; then
    for name in swift-crypto GRDB.swift Yams swift-mustache; do packages+=" $(pinned "$name")"; done
    engine_targets='
        library("CPCRE2", "libpcre2-8"), library("CCurl", "libcurl"),
        .target(name: "Findings", dependencies: ["MailEvents", "Records", "SafeText", crypto]),
        .target(name: "Sigma", dependencies: [yams]),
        .target(
            name: "Detection",
            dependencies: ["Records", "MailEvents", "Findings", "SafeText", "Sigma", "Memory", "CPCRE2", crypto]
        ),
        .target(
            name: "Evidence",
            dependencies: ["Records", "MailEvents", "Findings", "SafeText", "LinuxIO", "CArchive", "CZstd", crypto, system]
        ),
        .target(name: "State", dependencies: [grdb, sqlite, system]),
        .target(
            name: "Alerting",
            dependencies: ["CCurl", "Findings", "SafeText", "State", "LinuxIO", crypto, mustache, system]
        ),
        .target(
            name: "Pipeline",
            dependencies: [
                "Alerting", "Detection", "Evidence", "Findings", "LinuxIO", "LogSources", "MailEvents", "MailLog", "MailText",
                "Memory", "Records", "RingBuffer", "SafeText", "Sigma", "State", crypto, system,
            ]
        ),
        .testTarget(
            name: "SigmaTests",
            dependencies: ["Sigma", "TestSupport"],
            // As in Package.swift: Foundation finds no empty text in another, the library does.
            swiftSettings: [.enableUpcomingFeature("MemberImportVisibility")]
        ),
        .testTarget(
            name: "DetectionTests",
            dependencies: ["Detection", "Findings", "MailEvents", "Memory", "Records", "Sigma", "TestSupport"]
        ),
        .testTarget(
            name: "EvidenceTests",
            dependencies: ["Evidence", "Findings", "LinuxIO", "Records", "SafeText", "TestSupport", system]
        ),
        .testTarget(name: "StateTests", dependencies: ["State", "TestSupport", grdb, sqlite, system]),
        .testTarget(
            name: "PipelineTests",
            dependencies: [
                "Pipeline", "Evidence", "Findings", "LogSources", "MailEvents", "Memory", "Records", "Sigma", "SafeText", "State",
                "TestSupport", system,
            ]
        ),'
fi
cat >"$work/Package.swift" <<SWIFT
// swift-tools-version: 6.2
import PackageDescription

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
func library(_ name: String, _ config: String?) -> Target { .systemLibrary(name: name, pkgConfig: config) }

let package = Package(
    name: "sanitized",
    dependencies: [$packages],
    targets: [
        library("CLinux", nil), library("CArchive", "libarchive"), library("CBzip2", nil), library("CISAL", "libisal"),
        library("CIdn", "libidn2"), library("CLz4", "liblz4"), library("CLzma", "liblzma"),
        library("CSystemd", "libsystemd"), library("CZstd", "libzstd"),
        .target(name: "RingBuffer", dependencies: ["CLinux"]),
        .target(name: "SafeText"),
        .target(name: "LinuxIO", dependencies: ["CLinux", "CSystemd", system]),
        .target(name: "Records", dependencies: ["SafeText"]),
        .target(name: "MailEvents", dependencies: ["Records", "SafeText"]),
        .target(
            name: "LogSources",
            dependencies: [
                "Records", "LinuxIO", "SafeText", "CArchive", "CBzip2", "CISAL", "CLz4", "CLzma", "CSystemd", "CZstd",
                system,
            ]
        ),
        .target(name: "MailText", dependencies: ["CIdn"]),
        .target(name: "MailLog", dependencies: ["Records", "MailEvents", "MailText", "SafeText"]),
        .target(name: "Memory", dependencies: ["Records", "MailEvents"]),
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        .testTarget(name: "RingBufferTests", dependencies: ["RingBuffer", "TestSupport"]),
        .testTarget(
            name: "LogSourcesTests",
            dependencies: ["LogSources", "CISAL", "CZstd", "LinuxIO", "Records", "TestSupport", system]
        ),
        .testTarget(name: "MailTextTests", dependencies: ["MailText", "TestSupport"]),
        .testTarget(
            name: "MailLogTests",
            dependencies: ["MailLog", "MailEvents", "MailText", "Records", "TestSupport"]
        ),
        .testTarget(name: "MemoryTests", dependencies: ["Memory", "MailEvents", "TestSupport"]),$engine_targets
    ]
)
SWIFT
cd "$work"
threads='RingBufferTests|ReadAheadTests|ReplayTests'
bytes='MailTextTests|MailLogTests|MemoryTests|ArchiveTests|ArchiveDamageTests'
if [ -n "$engine" ]; then
    threads+='|PipelineTests|StateTests|EvidenceTests'
    bytes+='|SigmaTests|DetectionTests|EvidenceTests|StateTests|PipelineTests'
fi
# A debug build is blind here: it misses planted races that the optimised one reports.
swift test -c release -Xswiftc -enable-testing --disable-xctest --sanitize=thread --scratch-path .build-thread \
    --filter "$threads"
# XCTest leaks by itself.
ASAN_OPTIONS=detect_leaks=0 POSTERN_MUTATIONS=20000 swift test -c release -Xswiftc -enable-testing --disable-xctest \
    --sanitize=address --scratch-path .build-address --filter "$bytes"
