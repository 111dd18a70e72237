import Pipeline
import Settings
import Synchronization

/// Reads the daemon's settings and rules again, and tells what of the difference takes effect at
/// once.
final class SettingsReload: Sendable {
    private let config: String?
    private let ruleFolders: [String]
    /// Those in force, as far as they can be while the daemon runs.
    private let settings: Mutex<CheckedSettings>

    init(config: String?, ruleFolders: [String], settings: CheckedSettings) {
        self.config = config
        self.ruleFolders = ruleFolders
        self.settings = Mutex(settings)
    }

    /// Called on the reload's thread, one at a time.
    func read() -> Reloaded {
        do {
            let old = settings.withLock { $0 }
            var fresh = try daemonSettings(config)
            let untilRestart = Self.untilRestart(old, fresh)
            let added = Self.added(old, fresh)
            // What waits for a restart is not in force: the next reload must tell of it again.
            fresh.keep(old, added: added)
            let configuration = try daemonConfiguration(fresh, ruleFolders: ruleFolders)
            let names = Set(added.map(\.name))
            // Files of secrets, certificates and templates may be other ones under the same name.
            let hasOtherSinks =
                old.sinks != fresh.sinks
                || fresh.sinks.contains {
                    switch $0.kind {
                    case .webhook, .mail, .syslog: true
                    case .command, .standardOutput: false
                    }
                }
            settings.withLock { $0 = fresh }
            return .read(
                Reloaded.Fresh(
                    configuration: configuration,
                    hasOtherSinks: hasOtherSinks,
                    newSources: configuration.sources.filter { names.contains($0.name) },
                    untilRestart: untilRestart
                )
            )
        } catch let failure as Failure {
            return .refused(failure.messages)
        } catch {
            return .refused(["\(error)"])
        }
    }

    /// Files and journals that were not followed before; not patterns.
    private static func added(
        _ old: CheckedSettings,
        _ fresh: CheckedSettings
    ) -> [CheckedSettings.Source] {
        guard let before = old.sources, let now = fresh.sources else { return [] }
        return now.filter { source in
            source.pattern == nil && !before.contains { $0.name == source.name }
        }
    }

    /// The settings that changed and wait for a restart.
    private static func untilRestart(
        _ old: CheckedSettings,
        _ fresh: CheckedSettings
    ) -> [String] {
        var settings: [String] = []
        func compare(_ name: String, _ isSame: Bool) {
            if !isSame { settings.append("\(name): the change takes effect after a restart") }
        }
        let added = Set(added(old, fresh).map(\.name))
        let kept = fresh.sources?.filter { !added.contains($0.name) }
        compare("sources, but for new ones", Set(old.sources ?? []) == Set(kept ?? []))
        compare("merge_hold", old.mergeHoldSeconds == fresh.mergeHoldSeconds)
        compare("timezone", old.timezone == fresh.timezone)
        compare("account_domain", old.accountDomain == fresh.accountDomain)
        compare("filters", old.filters == fresh.filters)
        compare("memory", old.memory == fresh.memory)
        compare("limits", old.limits == fresh.limits)
        compare("state", old.state == fresh.state)
        compare("http", old.http == fresh.http)
        compare("pseudonyms: http", old.pseudonyms.http == fresh.pseudonyms.http)
        return settings
    }
}

extension CheckedSettings {
    /// Puts back what cannot change while the daemon runs.
    fileprivate mutating func keep(_ old: CheckedSettings, added: [Source]) {
        sources = old.sources.map { $0 + added }
        mergeHoldSeconds = old.mergeHoldSeconds
        timezone = old.timezone
        accountDomain = old.accountDomain
        filters = old.filters
        memory = old.memory
        limits = old.limits
        state = old.state
        http = old.http
        pseudonyms.http = old.pseudonyms.http
    }
}
