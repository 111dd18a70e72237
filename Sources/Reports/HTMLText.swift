import Crypto
import SafeText

/// Text of a page: everything that goes in is escaped, so that text of a log stays text.
struct HTMLText {
    private(set) var text = ""

    /// Markup of this program: never anything from a log.
    mutating func markup(_ markup: StaticString) { text += "\(markup)" }

    /// An element's start; the values of attributes are escaped.
    mutating func open(
        _ name: StaticString,
        _ attributes: KeyValuePairs<StaticString, String> = [:]
    ) {
        text += "<\(name)"
        for (attribute, value) in attributes {
            text += " \(attribute)=\"" + Self.escaped(value) + "\""
        }
        text += ">"
    }

    mutating func close(_ name: StaticString) { text += "</\(name)>" }

    /// Text of whatever origin: controls, bidirectional and invisible characters are made visible.
    mutating func plain(_ words: String) { text += Self.visible(words) }

    mutating func element(
        _ name: StaticString,
        _ words: String,
        _ attributes: KeyValuePairs<StaticString, String> = [:]
    ) {
        open(name, attributes)
        plain(words)
        close(name)
    }

    /// Markup for text: `&`, `<`, `>`, quotes escaped, what ``isUnsafeToShow(_:)`` names as
    /// `\u{…}` in an element that shows that it is not what was logged.
    static func visible(_ words: String) -> String {
        var out = ""
        for scalar in words.unicodeScalars {
            if isUnsafeToShow(scalar) {
                out += "<b class=\"c\">\\u{" + String(scalar.value, radix: 16) + "}</b>"
            } else {
                append(scalar, to: &out)
            }
        }
        return out
    }

    /// For attributes: as ``shown(_:)``, escaped.
    static func escaped(_ words: String) -> String {
        var out = ""
        for scalar in shownKeepingBackslashes(words).unicodeScalars { append(scalar, to: &out) }
        return out
    }

    private static func append(_ scalar: Unicode.Scalar, to out: inout String) {
        switch scalar {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "\"": out += "&quot;"
        case "'": out += "&#39;"
        default: out.unicodeScalars.append(scalar)
        }
    }
}

/// A whole page that needs nothing else and may do nothing: no script, no connection, no style but
/// its own.
func htmlPage(title: String, language: String = "en", _ body: HTMLText) -> [UInt8] {
    let style = pageStyle
    let digest = base64Text(Array(SHA256.hash(data: Array(style.utf8))))
    var head = HTMLText()
    head.markup("<!doctype html>\n")
    head.open("html", ["lang": language])
    head.markup("<head><meta charset=\"utf-8\">")
    // Content Security Policy 3: all is forbidden but the one style sheet of this digest.
    head.open(
        "meta",
        [
            "http-equiv": "Content-Security-Policy",
            "content": "default-src 'none'; style-src 'sha256-\(digest)'; base-uri 'none'; "
                + "form-action 'none'",
        ]
    )
    head.markup("<meta name=\"referrer\" content=\"no-referrer\">")
    head.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
    head.markup("<meta name=\"color-scheme\" content=\"light dark\">")
    head.element("title", title)
    let start = head.text + "<style>" + style + "</style></head><body><main>"
    return Array((start + body.text + "</main></body></html>\n").utf8)
}

private let pageStyle = """
    :root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f27;--soft:#5a6372;--line:#dfe3e9;\
    --sent:#c2410c;--deferred:#b7860b;--bounced:#3f6fb5;--unknown:#8b95a5;--accent:#27508f;--code:#f1f3f6;\
    --high:#b3261e;--medium:#a15c00;--low:#4a5568;--good:#256d3a;--mark:#fde68a;--markink:#5b3b00}
    @media(prefers-color-scheme:dark){:root{--bg:#12151b;--card:#1a1f28;--ink:#e6e9ef;--soft:#9ba5b5;\
    --line:#2d3441;--sent:#f28b52;--deferred:#e0b84a;--bounced:#7fa8e8;--unknown:#8b95a5;--accent:#8fb4f0;\
    --code:#12161d;--high:#ff8a80;--medium:#ffb95c;--low:#a6b0c0;--good:#7fd197;--mark:#5b4a12;--markink:#ffe9a8}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",\
    "Liberation Sans",sans-serif}
    main{max-width:68rem;margin:0 auto;padding:2rem 1.25rem 3rem}
    header.top{border-left:6px solid var(--low);padding:.1rem 0 .1rem 1.1rem;margin-bottom:1.4rem}
    header.high,header.critical{border-color:var(--high)}header.medium{border-color:var(--medium)}
    h1{font-size:1.55rem;line-height:1.28;margin:.35rem 0 .5rem;font-weight:650;text-wrap:pretty}
    h2{font-size:1.02rem;margin:0 0 .8rem;font-weight:650}
    h3{font-size:.9rem;margin:1.1rem 0 .35rem}
    p{margin:.4rem 0}
    .meta{color:var(--soft);font-size:.88rem;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}
    .pills span{display:inline-block;font-size:.74rem;font-weight:650;letter-spacing:.03em;padding:.1rem .55rem;\
    border-radius:99px;border:1px solid currentColor;margin-right:.4rem;text-transform:uppercase;color:var(--low)}
    .pills .high,.pills .critical{color:var(--high)}.pills .medium{color:var(--medium)}.pills .done{color:var(--good)}
    section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.25rem;margin:0 0 1.1rem}
    .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr));gap:.8rem;padding:0;background:none;border:0}
    .tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.75rem .95rem}
    .tiles b{display:block;font-size:1.5rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
    .tiles span{color:var(--soft);font-size:.82rem}
    svg{display:block;width:100%;height:auto;font:11px system-ui,"Liberation Sans",sans-serif}
    svg text{fill:var(--soft)}svg .name{fill:var(--ink);font-size:12px}
    svg .grid{stroke:var(--line);stroke-width:1}svg .sum{fill:none;stroke:var(--accent);stroke-width:1.6}
    svg .area{fill:var(--accent);opacity:.09}svg .step{stroke:var(--high);stroke-width:1.2;stroke-dasharray:4 3}
    svg .step.resolved{stroke:var(--good)}svg .label{fill:var(--ink);font-weight:600}
    .sent{fill:var(--sent)}.deferred{fill:var(--deferred)}.bounced{fill:var(--bounced)}.unknown{fill:var(--unknown)}
    .plain{fill:var(--accent)}.good{fill:var(--good)}.worst{fill:var(--high)}.rest{fill:var(--line)}
    svg .dot{stroke:var(--card);stroke-width:1}
    .legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.84rem;color:var(--soft);margin:.7rem 0 0}
    .legend svg{display:inline-block;width:11px;height:11px;margin-right:.4rem;vertical-align:-1px}
    .scroll{overflow-x:auto}
    table{border-collapse:collapse;width:100%;font-size:.88rem}
    th{font-weight:600;text-align:left;color:var(--soft);font-size:.8rem}
    th,td{padding:.32rem .6rem .32rem 0;border-bottom:1px solid var(--line);vertical-align:top}
    tbody tr:last-child td{border-bottom:0}
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    td.w{overflow-wrap:anywhere;min-width:9rem}\
    th.a{text-align:right;overflow-wrap:anywhere;font-weight:500;font-size:.74rem;vertical-align:bottom;min-width:4.4rem}
    td.bar{width:7.5rem;min-width:5rem}td.bar svg{height:12px;margin-top:.28rem}
    td.zero{color:var(--line)}
    code,pre,.lines td{font-family:ui-monospace,"Cascadia Mono","DejaVu Sans Mono","Liberation Mono",monospace;font-size:.8rem}
    pre{background:var(--code);border:1px solid var(--line);border-radius:7px;padding:.8rem .95rem;margin:.4rem 0;\
    white-space:pre-wrap;overflow-wrap:anywhere}
    pre.letter{font:inherit;font-size:.9rem;white-space:pre-wrap}
    .lines{table-layout:fixed}.lines td{overflow-wrap:anywhere;border-bottom-color:transparent;padding:.12rem .6rem .12rem 0}
    .lines col.k{width:3.4rem}.lines td.n{color:var(--soft)}.lines tr.place td{padding-top:.7rem;color:var(--soft);\
    font:600 .8rem system-ui,sans-serif}.lines tr.place:first-child td{padding-top:0}
    b.c{background:var(--mark);color:var(--markink);font-weight:600;border-radius:3px;padding:0 .12rem}
    ul{margin:.3rem 0;padding-left:1.15rem}ul+dl{margin-top:.8rem}li{margin:.12rem 0}
    .lead{font-size:1rem}.small{font-size:.82rem;color:var(--soft)}.digest{overflow-wrap:anywhere}
    dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.1rem;margin:0;font-size:.88rem}
    dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
    footer{color:var(--soft);font-size:.8rem;margin-top:1.4rem}
    @media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--code:#fff;--accent:#27508f;\
    --sent:#c2410c;--deferred:#9a7400;--bounced:#2f5ea8;--unknown:#777;--high:#a01810;--good:#1d5c30;--mark:#eee;--markink:#000}
    body{font-size:10.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}main{max-width:none;padding:0}
    table{font-size:8.5pt}.lines td,code,pre{font-size:7.4pt}pre.letter{font-size:8.4pt}.scroll{overflow:visible}\
    .tiles{grid-template-columns:repeat(6,1fr);gap:.4rem}.tiles b{font-size:1.2rem}h1{font-size:1.3rem}\
    section{border-color:#ccc;break-inside:avoid;padding:.7rem .8rem}section.long{break-inside:auto}
    h2{break-after:avoid}tr{break-inside:avoid}.letter{break-before:auto}a{color:inherit}}

    """
