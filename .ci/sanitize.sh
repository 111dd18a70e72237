#!/usr/bin/env bash
# Runs tests under ThreadSanitizer and AddressSanitizer: what passes between threads, and what reads hostile bytes and holds
# tables of its own. In a package of their own, so that nothing else is built for it.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
top=$PWD
work=$top/.build-sanitize
mkdir -p "$work/Sources" "$work/Tests"
rooms=(RingBuffer LinuxIO LogSources Records SafeText MailEvents MailText MailLog Memory CLinux CArchive CBzip2 CISAL CIdn CLz4
    CLzma CSystemd CZstd)
for room in "${rooms[@]}"; do ln -sfn "$top/Sources/$room" "$work/Sources/$room"; done
for room in RingBuffer LogSources MailText MailLog Memory; do
    ln -sfn "$top/Tests/${room}Tests" "$work/Tests/${room}Tests"
done
for folder in TestSupport Corpus Fuzz Golden Hostile Samples; do ln -sfn "$top/Tests/$folder" "$work/Tests/$folder"; done
system=$(sed -n 's/.*\(\.package(url: "[^"]*swift-system".*)\),$/\1/p' Package.swift)
cat >"$work/Package.swift" <<SWIFT
// swift-tools-version: 6.2
import PackageDescription

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
func library(_ name: String, _ config: String?) -> Target { .systemLibrary(name: name, pkgConfig: config) }

let package = Package(
    name: "sanitized",
    dependencies: [$system],
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
        .testTarget(name: "MemoryTests", dependencies: ["Memory", "MailEvents", "TestSupport"]),
    ]
)
SWIFT
cd "$work"
# A debug build is blind here: it misses planted races that the optimised one reports.
swift test -c release -Xswiftc -enable-testing --disable-xctest --sanitize=thread --scratch-path .build-thread \
    --filter 'RingBufferTests|ReadAheadTests|ReplayTests'
# XCTest leaks by itself.
ASAN_OPTIONS=detect_leaks=0 POSTERN_MUTATIONS=20000 swift test -c release -Xswiftc -enable-testing --disable-xctest \
    --sanitize=address --scratch-path .build-address \
    --filter 'MailTextTests|MailLogTests|MemoryTests|ArchiveTests|ArchiveDamageTests'
