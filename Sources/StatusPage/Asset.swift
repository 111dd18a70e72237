/// A file of the page, as it stands in `Page/` and is embedded in the program.
struct Asset: Sendable {
    let type: String
    let bytes: [UInt8]

    static let page = Asset(type: "text/html; charset=utf-8", bytes: PackageResources.page_html)
    static let locked = Asset(type: "text/html; charset=utf-8", bytes: PackageResources.locked_html)
    static let style = Asset(type: "text/css; charset=utf-8", bytes: PackageResources.page_css)
    static let script = Asset(
        type: "text/javascript; charset=utf-8",
        bytes: PackageResources.page_js
    )
    static let icon = Asset(type: "image/svg+xml", bytes: PackageResources.icon_svg)
}
