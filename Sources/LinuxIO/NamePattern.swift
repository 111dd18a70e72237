import Glibc
public import SystemPackage

/// A pattern for one name in a folder, as a shell has it: `*`, `?`, `[…]`; fnmatch(3) compares.
///
/// A leading dot is matched by a dot only (`FNM_PERIOD`), and names are bytes.
public struct NamePattern: Hashable, Sendable {
    private let component: FilePath.Component

    public init(_ component: FilePath.Component) { self.component = component }

    /// Whether it has a character that makes it more than a name.
    public var isPattern: Bool {
        component.bytes.contains { "*?[\\".utf8.contains($0) }
    }

    public func matches(_ name: FilePath.Component) -> Bool {
        unsafe component.withPlatformString { pattern in
            unsafe name.withPlatformString { name in
                // SAFETY: platform strings end with a NUL, which is all that fnmatch(3) asks for.
                unsafe fnmatch(pattern, name, FNM_PERIOD) == 0
            }
        }
    }
}
