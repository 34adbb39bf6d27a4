/// Where to listen or connect: "HOST:PORT", or "[IPv6]:PORT". Port 0 means any free port, where that makes sense.
public struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
  /// Without the brackets of an IPv6 address.
  public let host: String
  public let port: Int

  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Nil when `text` is not "HOST:PORT".
  public init?(_ text: String) {
    guard let parsed = try? HostAndPort(parsing: text) else { return nil }
    self = parsed
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  init(parsing text: String) throws(UnusableText) {
    guard let colon = text.lastIndex(of: ":") else {
      throw UnusableText(problem: "must be HOST:PORT, but has no \":PORT\"")
    }
    let portText = text[text.index(after: colon)...]
    guard let port = Int(portText), (0...65_535).contains(port), portText.allSatisfy(\.isNumber) else {
      throw UnusableText(problem: "must be HOST:PORT, but the port \"\(portText)\" is not a number from 0 to 65535")
    }
    host = try Self.checkedHost(text[..<colon])
    self.port = port
  }

  private static func checkedHost(_ text: Substring) throws(UnusableText) -> String {
    guard !text.isEmpty else {
      throw UnusableText(problem: "must be HOST:PORT, but the host is missing (0.0.0.0 listens on all addresses)")
    }
    if text.hasPrefix("["), text.hasSuffix("]"), text.count > 2 { return String(text.dropFirst().dropLast()) }
    guard !text.contains(":") else {
      throw UnusableText(problem: "must be HOST:PORT; write an IPv6 address in brackets, as in [::1]:7400")
    }
    guard !text.contains(where: { $0 == "/" || $0 == " " || $0 == "[" || $0 == "]" || $0 == "@" }) else {
      throw UnusableText(problem: "must be HOST:PORT without a scheme, slashes or spaces")
    }
    return String(text)
  }
}
