/// What the victim can do, in plain words, by the name that a rule gives (`postern.remediation`).
enum Remediation {
    /// The text of that name; what is no name of the program is a free sentence and stays.
    static func text(_ name: String) -> String {
        switch name {
        case "outlook-read-receipts":
            // receipts.md, "Remediation for the victim".
            "In Outlook, open File, Options, Mail, Tracking (2003 and 2007: Tools, Options, "
                + "Preferences, E-mail Options, Tracking Options) and choose \"Ask me before sending "
                + "a response\". The password need not be changed: only receipts were sent."
        default: name
        }
    }
}
