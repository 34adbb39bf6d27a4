/// The texts of a session in one piece of memory: user id, session id, then each label as two lengths, key and value.
struct SessionText: Sendable {
  private let bytes: [UInt8]
  private let userCount: UInt16
  private let sessionCount: UInt16

  /// No session's.
  static let none = SessionText()

  private init() {
    bytes = []
    userCount = 0
    sessionCount = 0
  }

  init(_ hello: Hello) {
    let (user, session) = (hello.key.user.text.utf8, hello.key.session.text.utf8)
    // In order, so that equal labels are equal bytes.
    let labels = hello.labels.sorted { $0.key < $1.key }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(
      labels.reduce(user.count + session.count) { $0 + 3 + $1.key.utf8.count + $1.value.utf8.count })
    bytes += user
    bytes += session
    for (key, value) in labels {
      // A key has 64 bytes at most, a value 256.
      bytes.append(UInt8(key.utf8.count))
      bytes.append(UInt8(value.utf8.count >> 8))
      bytes.append(UInt8(truncatingIfNeeded: value.utf8.count))
      bytes += key.utf8
      bytes += value.utf8
    }
    self.bytes = bytes
    userCount = UInt16(user.count)
    sessionCount = UInt16(session.count)
  }

  private var sessionEnd: Int { Int(userCount) + Int(sessionCount) }

  private var userBytes: ArraySlice<UInt8> { bytes[..<Int(userCount)] }
  private var sessionBytes: ArraySlice<UInt8> { bytes[Int(userCount)..<sessionEnd] }

  var user: UserID { UserID(unchecked: String(decoding: userBytes, as: UTF8.self)) }
  var session: SessionID { SessionID(unchecked: String(decoding: sessionBytes, as: UTF8.self)) }
  var key: SessionKey { SessionKey(user: user, session: session) }

  var labels: [String: String] {
    var labels: [String: String] = [:]
    var position = sessionEnd
    while position < bytes.count {
      let (keyCount, valueCount) = (Int(bytes[position]), Int(bytes[position + 1]) << 8 | Int(bytes[position + 2]))
      let value = position + 3 + keyCount
      labels[String(decoding: bytes[(position + 3)..<value], as: UTF8.self)] =
        String(decoding: bytes[value..<(value + valueCount)], as: UTF8.self)
      position = value + valueCount
    }
    return labels
  }

  func isOf(_ user: UserID) -> Bool { userBytes.isSame(as: user.text) }

  func isOfSameUser(as other: SessionText) -> Bool { userBytes == other.userBytes }

  func isOf(_ user: UserID, _ session: SessionID) -> Bool { isOf(user) && sessionBytes.isSame(as: session.text) }

  // MARK: Hashes, of bytes as the registry's keys are

  var userHash: Int {
    var hasher = Hasher()
    userBytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }

  var keyHash: Int {
    var hasher = Hasher()
    userBytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    sessionBytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }
}

extension UserID {
  /// As `SessionText.userHash`.
  var placeHash: Int {
    var hasher = Hasher()
    text.combineBytes(into: &hasher)
    return hasher.finalize()
  }

  /// As `SessionText.keyHash`.
  func placeHash(_ session: SessionID) -> Int {
    var hasher = Hasher()
    text.combineBytes(into: &hasher)
    session.text.combineBytes(into: &hasher)
    return hasher.finalize()
  }
}
