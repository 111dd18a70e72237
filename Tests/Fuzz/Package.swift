// swift-tools-version: 6.2
import PackageDescription

/// The fuzzers: a package of its own, which ordinary builds do not build. `deploy/fuzz` does.
///
/// `Rooms` and `Sources/Fuzz/Reference` are links into the tree.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Rooms/" + name,
        swiftSettings: settings
    )
}

let package = Package(
    name: "fuzz",
    targets: [
        .systemLibrary(name: "CIdn", path: "Rooms/CIdn", pkgConfig: "libidn2"),
        room("SafeText"),
        room("Records", ["SafeText"]),
        room("MailEvents", ["Records", "SafeText"]),
        room("MailText", ["CIdn"]),
        room("MailLog", ["Records", "MailEvents", "MailText", "SafeText"]),
        .executableTarget(
            name: "Fuzz",
            dependencies: ["MailLog", "MailEvents", "MailText", "Records"],
            // libFuzzer brings `main`.
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        ),
    ]
)
