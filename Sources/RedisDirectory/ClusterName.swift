/// Names a cluster within one Redis: 1 to 64 bytes of `A-Z a-z 0-9 . _ -`.
public struct ClusterName: Hashable, Sendable, CustomStringConvertible {
  public let text: String

  public init(_ text: String) throws(DirectoryError) {
    guard isPlainName(text, maximumLength: 64) else {
      throw DirectoryError(
        code: .invalidArgument,
        message: "the cluster name \"\(text)\" is not usable; give 1 to 64 characters of A-Z a-z 0-9 . _ -")
    }
    self.text = text
  }

  public var description: String { text }
}

/// 1 to `maximumLength` bytes of `A-Z a-z 0-9 . _ -`.
func isPlainName(_ text: String, maximumLength: Int) -> Bool {
  guard (1...maximumLength).contains(text.utf8.count) else { return false }
  return text.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: false
    }
  }
}
