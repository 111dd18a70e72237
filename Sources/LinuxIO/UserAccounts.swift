import Glibc

/// The numbers behind the names of this machine's users.
public enum UserAccounts {
    /// The user ID of `name` (getpwnam_r(3)); nil when there is no such user, or none can be found
    /// out now, as when a directory server does not answer.
    public static func userID(named name: String) -> UInt32? {
        var entry = unsafe passwd()
        // "16,384 is usually enough": an entry that is longer is not one of a mail server's user.
        var buffer = [CChar](repeating: 0, count: 16_384)
        var found: UnsafeMutablePointer<passwd>?
        // SAFETY: the buffer is as long as is said, and outlives `found`.
        let result = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return ERANGE }
            return unsafe getpwnam_r(name, &entry, start, buffer.count, &found)
        }
        guard result == 0, unsafe found != nil else { return nil }
        return unsafe entry.pw_uid
    }

    /// The name of a user by its ID (getpwuid_r(3)); nil when there is no such user, or none can be
    /// found out now.
    public static func name(ofUserID number: UInt32) -> String? {
        var entry = unsafe passwd()
        var buffer = [CChar](repeating: 0, count: 16_384)
        var found: UnsafeMutablePointer<passwd>?
        // SAFETY: as above; the name lies in the buffer and is copied while that is lent.
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress,
                unsafe getpwuid_r(number, &entry, start, buffer.count, &found) == 0,
                unsafe found != nil, let name = unsafe entry.pw_name
            else { return nil }
            return unsafe String(cString: name)
        }
    }
}
