internal import RedisClient

/// A script's reply, read position by position. Whatever comes, it refuses instead of trapping, and the refusal names
/// the script and the key.
struct Reply {
  private var elements: ArraySlice<RedisValue>
  private let script: String
  private let key: String

  init(_ value: RedisValue, script: String, key: String) throws(DirectoryError) {
    self.script = script
    self.key = key
    guard case .array(let elements) = value else {
      self.elements = []
      throw unexpected("an array was expected")
    }
    self.elements = elements[...]
  }

  var isAtEnd: Bool { elements.isEmpty }

  mutating func text() throws(DirectoryError) -> String {
    switch elements.popFirst() {
    case .bulk(let bytes)?:
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw unexpected("there are bytes that are not UTF-8")
      }
      return text
    case .status(let text)?: return text
    case .integer(let number)?: return String(number)
    default: throw unexpected("a text was expected")
    }
  }

  /// An array of texts.
  mutating func texts() throws(DirectoryError) -> [String] {
    guard case .array(let items) = elements.popFirst() else { throw unexpected("an array was expected") }
    var inner = self
    inner.elements = items[...]
    var texts: [String] = []
    while !inner.isAtEnd { texts.append(try inner.text()) }
    return texts
  }

  mutating func number() throws(DirectoryError) -> UInt64 {
    let text = try text()
    guard let number = UInt64(text) else { throw unexpected("\"\(text.prefix(40))\" where a number was expected") }
    return number
  }

  mutating func microseconds() throws(DirectoryError) -> Duration {
    let number = try number()
    guard let count = Int64(exactly: number) else { throw unexpected("\(number) microseconds are too many") }
    return .microseconds(count)
  }

  func unexpected(_ what: String) -> DirectoryError {
    DirectoryError(
      code: .incompatible,
      message: """
        the reply of script \(script) on \(key) is not understood: \(what); another version of PushRing, or something \
        else, writes to this key
        """)
  }
}

/// The reply of a membership script: what all of them begin with.
struct MembershipReply {
  let status: String
  /// Until pending changes may be published; zero when none are pending.
  let wait: Duration
  let runID: String
  var rest: Reply

  init(_ value: RedisValue, script: String, key: String) throws(DirectoryError) {
    rest = try Reply(value, script: script, key: key)
    status = try rest.text()
    wait = try rest.microseconds()
    runID = try rest.text()
  }
}
