/// Why a user or session id was refused; the message says what is allowed.
public struct IdentifierError: Error, Hashable, Sendable, CustomStringConvertible {
  public let message: String

  public var description: String { message }
}

/// Text that names something. Two are the same if their bytes are: for Redis, the ring and other languages "é" in one code point
/// and in two are two texts, while Swift's strings call them equal.
public protocol Identifier: Hashable, Sendable, CustomStringConvertible {
  var text: String { get }
}

extension Identifier {
  public static func == (one: Self, other: Self) -> Bool { one.text.hasSameBytes(as: other.text) }

  public func hash(into hasher: inout Hasher) {
    text.combineBytes(into: &hasher)
    // No byte of UTF-8: where one text ends and the next begins.
    hasher.combine(0xff as UInt8)
  }

  public var description: String { text }
}

/// Whom sessions belong to: 1 to 256 bytes of UTF-8 without control characters.
public struct UserID: Identifier {
  public let text: String

  public init(_ text: String) throws(IdentifierError) {
    self.text = try checkedIdentifier(text, what: "user id")
  }

  /// What was checked before.
  init(unchecked text: String) { self.text = text }
}

/// Names a device; unique among its user's sessions. 1 to 256 bytes of UTF-8 without control characters.
public struct SessionID: Identifier {
  public let text: String

  public init(_ text: String) throws(IdentifierError) {
    self.text = try checkedIdentifier(text, what: "session id")
  }

  /// What was checked before.
  init(unchecked text: String) { self.text = text }
}

private func checkedIdentifier(_ text: String, what: String) throws(IdentifierError) -> String {
  let length = text.utf8.count
  // Nearly every id there is; a push checks several.
  if (1...256).contains(length), text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return text }
  guard length > 0 else { throw IdentifierError(message: "the \(what) is empty; give 1 to 256 bytes of UTF-8") }
  guard length <= 256 else {
    throw IdentifierError(message: "the \(what) has \(length) bytes; at most 256 are allowed")
  }
  // C0, DEL and C1.
  guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }) else {
    throw IdentifierError(message: "the \(what) has a control character in it; leave control characters out")
  }
  return text
}

/// 128 bits in base 16, 32 digits: if they are random, unique without asking anybody.
public func identifierText(_ high: UInt64, _ low: UInt64) -> String {
  [high, low].map { half in
    let digits = String(half, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }.joined()
}
