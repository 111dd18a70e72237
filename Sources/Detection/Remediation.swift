/// What the victim can do, in a sentence, by the name that a rule gives (`postern.remediation`). A
/// letter to the user of the same name lies in `rules/remediation`, in several languages.
enum Remediation {
    /// The text of that name; what is no name of the program is a free sentence and stays.
    static func text(_ name: String) -> String {
        switch name {
        case "outlook-read-receipts":
            // receipts.md, "Remediation for the victim".
            "In Outlook, open File, Options, Mail, Tracking (2003 and 2007: Tools, Options, "
                + "Preferences, E-mail Options, Tracking Options) and choose \"Ask me before sending "
                + "a response\". The password need not be changed: only receipts were sent."
        case "stolen-login":
            "Change the password now, from a computer that is certainly clean, and wherever else the "
                + "same one is used; look for forwarding, filters and further logins that the user "
                + "did not set."
        default: name
        }
    }
}
