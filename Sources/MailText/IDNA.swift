import CIdn

/// libidn2, behind the room's other fence.
enum IDNA {
    /// Appends the A-label form of a domain; false, and nothing appended, when libidn2 refuses it.
    ///
    /// Safe because libidn2 gets zero-terminated copies without a zero inside, and what it
    /// allocates is read up to its zero and freed once.
    static func appendALabels(of domain: Span<UInt8>, to out: inout [UInt8]) -> Bool {
        var name: [CChar] = []
        name.reserveCapacity(domain.count + 1)
        for index in domain.indices {
            guard domain[index] != 0 else { return false }
            name.append(CChar(bitPattern: domain[index]))
        }
        name.append(0)
        var found: UnsafeMutablePointer<CChar>?
        // libidn2's manual, idn2_lookup_u8: IDN2_NONTRANSITIONAL maps by TR46 (lower case, width)
        // and keeps `ß`; IDN2_NFC_INPUT normalises first.
        let flags = CInt(bitPattern: IDN2_NONTRANSITIONAL.rawValue | IDN2_NFC_INPUT.rawValue)
        let code = unsafe name.withUnsafeBufferPointer { name in
            unsafe name.withMemoryRebound(to: UInt8.self) { name in
                unsafe withUnsafeMutablePointer(to: &found) { found in
                    unsafe found.withMemoryRebound(
                        to: UnsafeMutablePointer<UInt8>?.self,
                        capacity: 1
                    ) {
                        unsafe idn2_lookup_u8(name.baseAddress, $0, flags)
                    }
                }
            }
        }
        guard code == IDN2_OK.rawValue, let first = unsafe found else { return false }
        defer { unsafe idn2_free(first) }
        var index = 0
        while unsafe first[index] != 0 {
            out.append(CaselessText.lowercaseASCII(UInt8(bitPattern: unsafe first[index])))
            index += 1
        }
        return true
    }
}
