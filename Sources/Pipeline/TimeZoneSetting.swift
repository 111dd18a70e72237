import Glibc
import LinuxIO
public import MailLog
import SystemPackage

/// The zone of stamps without one: `local`, `UTC`, or a name of the tz database.
public struct TimeZoneSetting: Sendable, Hashable {
    /// The name under which another machine finds the same rules.
    public let name: String

    /// Nil when the tz database has no such zone.
    public init?(_ setting: String) {
        switch setting {
        case "local": name = Self.localName
        case "UTC", "Etc/UTC", "Z": name = "UTC"
        default:
            let isName = setting.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "_"),
                    UInt8(ascii: "-"), UInt8(ascii: "+"):
                    true
                default: false
                }
            }
            guard isName, !setting.isEmpty, !setting.hasPrefix("/"), !setting.hasPrefix("-"),
                let status = try? SystemCalls().status(
                    of: FilePath("/usr/share/zoneinfo/" + setting)
                ),
                status.kind == .regular
            else { return nil }
            name = setting
        }
    }

    /// The machine's zone: `TZ`, else where `/etc/localtime` points (localtime(5)).
    private static var localName: String {
        if let zone = environment("TZ"), !zone.isEmpty {
            return zone.hasPrefix(":") ? String(zone.dropFirst()) : zone
        }
        guard let text = linkTarget("/etc/localtime") else { return "UTC" }
        guard let range = text.range(ofZoneinfo: "/zoneinfo/") else { return "UTC" }
        return String(text[range...])
    }

    /// Puts the zone's rules in force for the whole process (tzset(3)), and gives them.
    ///
    /// To be called once, before other threads are there: the C library has one zone.
    public func rules() -> ZoneRules {
        if name == "UTC" { return .utc }
        unsafe setenv("TZ", name, 1)
        tzset()
        return ZoneRules { seconds in
            var moment = time_t(seconds)
            var parts = unsafe tm()
            // localtime_r(3) does not look at TZ again; tzset did.
            guard unsafe localtime_r(&moment, &parts) != nil else { return 0 }
            return unsafe Int64(parts.tm_gmtoff)
        }
    }
}

private func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

extension String {
    /// The index after the first occurrence of `text`.
    fileprivate func range(ofZoneinfo text: String) -> String.Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return self.index(index, offsetBy: text.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
