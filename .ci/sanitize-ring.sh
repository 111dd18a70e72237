#!/usr/bin/env bash
# Runs the ring's tests under ThreadSanitizer, in a package of their own so that nothing else is
# built for it.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
top=$PWD
work=$top/.build-tsan
mkdir -p "$work/Sources" "$work/Tests"
for room in RingBuffer CLinux; do ln -sfn "$top/Sources/$room" "$work/Sources/$room"; done
for room in RingBufferTests TestSupport; do ln -sfn "$top/Tests/$room" "$work/Tests/$room"; done
cat >"$work/Package.swift" <<'SWIFT'
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "ring",
    targets: [
        .systemLibrary(name: "CLinux"),
        .target(name: "RingBuffer", dependencies: ["CLinux"]),
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        .testTarget(name: "RingBufferTests", dependencies: ["RingBuffer", "TestSupport"]),
    ]
)
SWIFT
cd "$work"
# A debug build is blind here: it misses planted races that the optimised one reports.
swift test -c release --sanitize=thread --filter RingBufferTests
