// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours is built alike: language mode 6 (from the tools version), strict memory
/// safety, and a warning is an error.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: name + "Tests",
        dependencies: [.target(name: name), "TestSupport"] + dependencies,
        swiftSettings: settings
    )
}

func systemLibrary(_ name: String, pkgConfig: String?, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "postern",
    products: [
        .executable(name: "postern", targets: ["postern"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        // Without its readers of settings: ours are the only ones.
        .package(
            url: "https://github.com/hummingbird-project/hummingbird",
            exact: "2.28.1",
            traits: []
        ),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
        // Hummingbird's: named here so that its version is ours.
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle",
            exact: "2.13.0"
        ),
    ],
    targets: [
        // System libraries: a module map and a shim.h each.
        systemLibrary("CArchive", pkgConfig: "libarchive", apt: "libarchive-dev"),
        systemLibrary("CBzip2", pkgConfig: nil, apt: "libbz2-dev"),
        systemLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        systemLibrary("CIdn", pkgConfig: "libidn2", apt: "libidn2-dev"),
        systemLibrary("CISAL", pkgConfig: "libisal", apt: "libisal-dev"),
        systemLibrary("CLinux", pkgConfig: nil, apt: "libc6-dev"),
        systemLibrary("CLz4", pkgConfig: "liblz4", apt: "liblz4-dev"),
        systemLibrary("CLzma", pkgConfig: "liblzma", apt: "liblzma-dev"),
        systemLibrary("CPCRE2", pkgConfig: "libpcre2-8", apt: "libpcre2-dev"),
        systemLibrary("CSystemd", pkgConfig: "libsystemd", apt: "libsystemd-dev"),
        systemLibrary("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),

        // Ground: text that is safe to print, system calls, the ring.
        room("SafeText"),
        room("LinuxIO", ["CLinux", "CSystemd", system]),
        room("RingBuffer", ["CLinux"]),

        // Nouns: what passes between the rooms.
        room("Records", ["SafeText"]),
        room("MailEvents", ["Records", "SafeText"]),
        room("Findings", ["MailEvents", "Records", "SafeText", crypto]),

        // Verbs, in the order of a log line's way.
        room(
            "LogSources",
            [
                "Records", "LinuxIO", "SafeText", "CArchive", "CBzip2", "CISAL", "CLz4", "CLzma",
                "CSystemd", "CZstd", system,
            ]
        ),
        room("MailText", ["CIdn"]),
        room("MailLog", ["Records", "MailEvents", "MailText", "SafeText"]),
        room("Sigma", [yams]),
        room("Memory", ["Records", "MailEvents"]),
        room(
            "Detection",
            ["Records", "MailEvents", "Findings", "SafeText", "Sigma", "Memory", "CPCRE2", crypto]
        ),
        room(
            "Evidence",
            [
                "Records", "MailEvents", "Findings", "SafeText", "LinuxIO", "CArchive", "CZstd",
                crypto,
                system,
            ]
        ),
        room("State", [grdb, sqlite, system]),
        room(
            "Alerting",
            [
                "CCurl", "Findings", "SafeText", "State", "LinuxIO", crypto, mustache, system,
            ]
        ),
        room("Reports", ["Alerting", "Evidence", "Findings", "SafeText", crypto]),
        room("Settings", [yams]),
        room(
            "Pipeline",
            [
                "Alerting", "Detection", "Evidence", "Findings", "LinuxIO", "LogSources",
                "MailEvents", "MailLog", "MailText", "Memory", "Records", "RingBuffer", "SafeText",
                "Sigma", "State", crypto, system,
            ]
        ),
        // The page, on the Pipeline's board; the only room that knows HTTP.
        .target(
            name: "StatusPage",
            dependencies: [
                "Alerting", "Evidence", "Findings", "LinuxIO", "Pipeline", "Reports", "SafeText",
                "State", crypto, system,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [
                .embedInCode("Page/icon.svg"), .embedInCode("Page/locked.html"),
                .embedInCode("Page/page.css"), .embedInCode("Page/page.html"),
                .embedInCode("Page/page.js"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "postern",
            dependencies: [
                "Alerting", "Detection", "Evidence", "Findings", "LinuxIO", "LogSources",
                "MailEvents", "MailLog", "Memory", "Pipeline", "Reports", "SafeText", "Settings",
                "Sigma", "State", "StatusPage", argumentParser, system,
            ],
            swiftSettings: settings,
            linkerSettings: [
                .unsafeFlags(
                    [
                        "-static-stdlib", "-lCoreFoundation", "-l_FoundationCollections",
                        "-l_FoundationCShims", "-l_FoundationICU",
                    ],
                    .when(configuration: .release)
                )
            ]
        ),
        .executableTarget(
            name: "PosternBench",
            dependencies: [
                "Detection", "Evidence", "Findings", "LinuxIO", "LogSources", "MailEvents",
                "MailLog", "Memory", "Records", "RingBuffer", "Sigma", "State", argumentParser,
                system,
            ],
            swiftSettings: settings
        ),

        // Tests.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
        tests(of: "RingBuffer"),
        tests(of: "LinuxIO", [system]),
        tests(of: "LogSources", ["CISAL", "CZstd", "LinuxIO", "Records", system]),
        tests(of: "MailText"),
        tests(of: "MailLog", ["MailEvents", "MailText", "Records"]),
        tests(of: "Sigma"),
        tests(of: "Memory", ["MailEvents"]),
        tests(of: "Detection", ["Findings", "MailEvents", "Memory", "Records", "Sigma"]),
        tests(of: "Evidence", ["Findings", "LinuxIO", "Records", "SafeText", system]),
        tests(of: "State", [grdb, sqlite, system]),
        tests(of: "Reports", ["Alerting", "Evidence", "Findings", "SafeText"]),
        tests(of: "Settings"),
        tests(of: "Alerting", ["Findings", "LinuxIO", "SafeText", "State", system]),
        tests(
            of: "Pipeline",
            [
                "Evidence", "Findings", "LogSources", "MailEvents", "MailLog", "Memory", "Records",
                "Sigma", "SafeText", "State", system,
            ]
        ),
        tests(of: "SafeText"),
        tests(of: "StatusPage", ["LinuxIO", "Pipeline", "State", system]),
        .testTarget(
            name: "PosternTests",
            dependencies: ["LinuxIO", "Pipeline", "State", "TestSupport", system],
            swiftSettings: settings
        ),
    ]
)
