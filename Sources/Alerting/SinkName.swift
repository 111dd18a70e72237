/// How people name the sinks of the settings.
public enum SinkName {
    /// Whether a name that somebody wrote means a sink: its own name, or the word before the colon of names that
    /// the settings made, such as `webhook` for `webhook:https://alerts.example/…1f3a9c02`; this may mean several.
    /// `reports: to:` reads names alike.
    /// No name means every sink.
    public static func isMeant(_ sink: String, by name: String?) -> Bool {
        guard let name else { return true }
        return sink == name || sink.hasPrefix(name + ":")
    }
}
