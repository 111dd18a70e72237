/// What a receipt says became of the message.
public enum ReceiptKind: Sendable, Hashable {
    /// Deleted without having been displayed (RFC 8098, disposition `deleted`).
    case notRead
    /// Displayed.
    case read
    /// A message disposition notification by its content type, whose subject no prefix explains.
    case unknown
}

/// The subject prefixes of read receipts, by language: `design/receipts.md` as data.
///
/// The first row is specified (MS-OXOMSG: `Not Read: `, seen in the wild as `Not read: `),
/// the others are what Outlook and Exchange in those languages are known or believed to send.
enum ReceiptPrefixes {
    struct Row {
        let language: String
        let notRead: [String]
        let read: [String]
    }

    static let rows = [
        Row(language: "English", notRead: ["Not read"], read: ["Read"]),
        Row(language: "German", notRead: ["Nicht gelesen", "Ungelesen"], read: ["Gelesen"]),
        Row(language: "French", notRead: ["Non lu"], read: ["Lu"]),
        Row(language: "Spanish", notRead: ["No leído"], read: ["Leído"]),
        Row(language: "Italian", notRead: ["Non letto"], read: ["Letto"]),
        Row(language: "Portuguese", notRead: ["Não lida", "Não lido"], read: ["Lida", "Lido"]),
        Row(language: "Dutch", notRead: ["Niet gelezen", "Ongelezen"], read: ["Gelezen"]),
        Row(language: "Swedish", notRead: ["Ej läst", "Oläst"], read: ["Läst"]),
        Row(language: "Danish", notRead: ["Ikke læst", "Ulæst"], read: ["Læst"]),
        Row(language: "Norwegian", notRead: ["Ikke lest", "Ulest"], read: ["Lest"]),
        Row(language: "Finnish", notRead: ["Ei luettu", "Lukematta"], read: ["Luettu"]),
        Row(
            language: "Polish",
            notRead: ["Nie przeczytano", "Nieprzeczytane"],
            read: ["Przeczytano", "Odczytano"]
        ),
        Row(language: "Czech", notRead: ["Nepřečteno"], read: ["Přečteno"]),
        Row(language: "Slovak", notRead: ["Neprečítané"], read: ["Prečítané"]),
        Row(language: "Hungarian", notRead: ["Olvasatlan"], read: ["Elolvasva"]),
        Row(language: "Romanian", notRead: ["Necitit"], read: ["Citit"]),
        Row(
            language: "Russian",
            notRead: ["Не прочитано", "Не прочтено"],
            read: ["Прочитано", "Прочтено"]
        ),
        Row(language: "Ukrainian", notRead: ["Не прочитано"], read: ["Прочитано"]),
        Row(language: "Greek", notRead: ["Δεν διαβάστηκε"], read: ["Διαβάστηκε"]),
        Row(language: "Turkish", notRead: ["Okunmadı"], read: ["Okundu"]),
        Row(language: "Hebrew", notRead: ["לא נקרא"], read: ["נקרא"]),
        Row(language: "Arabic", notRead: ["لم تتم القراءة"], read: ["تمت القراءة"]),
        Row(language: "Japanese", notRead: ["未読", "未開封"], read: ["開封済み", "既読"]),
        Row(language: "Chinese", notRead: ["未读", "未讀取"], read: ["已读", "讀取"]),
        Row(language: "Korean", notRead: ["읽지 않음"], read: ["읽음"]),
    ]

    /// Forms of other mail programs. All mean *read*.
    enum Other {
        /// Needs no colon, `Return Receipt (displayed) - Re: plan` (Mozilla).
        static let dashed = ["Return Receipt (displayed)", "Disposition notification"]
        /// May be the whole subject.
        static let alone = ["Disposition notification"]
        /// Too common a word; believed only when the content type says receipt as well.
        static let withContentType = ["Receipt"]
    }
}
