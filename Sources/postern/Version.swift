/// The version of this program, as `--version` prints it and bundles name it.
enum Version {
    static let text = "0.1.0"
}
