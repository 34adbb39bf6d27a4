// Parsed by hand rather than by Foundation's URL: the grammar is small, each mistake gets a message of its own that says
// what is right, and a message never shows the user information, where the password is.
extension RedisConfiguration {
  /// `redis://[[user]:password@]host[:port][/database]` or `rediss://…`; percent-encoding is decoded, an IPv6 address
  /// stands in brackets, the port is 6379 and the database 0 unless given. As elsewhere, `redis://:password@host` is
  /// the default user's password.
  /// - Throws: `RedisError` with code `.configuration`; the message never contains the password.
  public init(url: String) throws(RedisError) {
    let (scheme, rest) = try Self.splitScheme(url)
    let authorityEnd = rest.firstIndex(of: "/") ?? rest.endIndex
    let (userInformation, hostAndPort) = Self.splitUser(rest[..<authorityEnd])
    let (host, port) = try Self.parseHost(hostAndPort)
    self.init(host: host, port: port)
    usesTLS = scheme == "rediss"
    database = try Self.parseDatabase(rest[authorityEnd...].dropFirst())
    if let userInformation { try setUser(userInformation) }
  }

  private static func wrong(_ what: String) -> RedisError {
    RedisError(
      code: .configuration,
      message: "the Redis URL \(what); write redis://[[user]:password@]host[:port][/database], or rediss://… for TLS",
      mayHaveRun: false)
  }

  private static func splitScheme(_ url: String) throws(RedisError) -> (String, Substring) {
    guard let separator = url.firstRange(of: "://") else { throw wrong("has no scheme") }
    let scheme = url[..<separator.lowerBound].lowercased()
    guard scheme == "redis" || scheme == "rediss" else {
      throw wrong("has an unknown scheme, neither 'redis' nor 'rediss'")
    }
    let rest = url[separator.upperBound...]
    guard !rest.contains(where: { $0 == "?" || $0 == "#" }) else {
      throw wrong("has a query or fragment, which mean nothing here (encode ? as %3F and # as %23 in a password)")
    }
    return (scheme, rest)
  }

  /// At the last "@": a password with a raw "@" is not right, but what is meant is clear.
  private static func splitUser(_ authority: Substring) -> (Substring?, Substring) {
    guard let at = authority.lastIndex(of: "@") else { return (nil, authority) }
    return (authority[..<at], authority[authority.index(after: at)...])
  }

  private static func parseHost(_ text: Substring) throws(RedisError) -> (String, Int) {
    var host = text
    var port: Substring?
    if text.first == "[" {
      guard let end = text.lastIndex(of: "]") else { throw wrong("has an IPv6 address without its closing bracket") }
      host = text[text.index(after: text.startIndex)..<end]
      let after = text[text.index(after: end)...]
      guard after.isEmpty || after.first == ":" else { throw wrong("has '\(after)' after the IPv6 address") }
      port = after.isEmpty ? nil : after.dropFirst()
    } else if let colon = text.firstIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
      guard port?.contains(":") == false else { throw wrong("has an IPv6 address without brackets") }
    }
    guard let decoded = percentDecoded(host), !decoded.isEmpty else { throw wrong("has no (or no readable) host") }
    return (decoded, try parsePort(port))
  }

  private static func parsePort(_ text: Substring?) throws(RedisError) -> Int {
    guard let text else { return 6379 }
    guard let port = decimal(text), (1...65_535).contains(port) else {
      throw wrong("has the port '\(text)', which is not a number from 1 to 65535")
    }
    return port
  }

  private static func parseDatabase(_ text: Substring) throws(RedisError) -> Int {
    if text.isEmpty { return 0 }
    guard let database = decimal(text) else {
      throw wrong("has the database '\(text)', which is not a number (0, 1, …)")
    }
    return database
  }

  private mutating func setUser(_ information: Substring) throws(RedisError) {
    let parts = information.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let decoded = parts.map { Self.percentDecoded($0) }
    guard !decoded.contains(nil) else {
      throw Self.wrong("has a user or password with a '%' that no two hexadecimal digits follow (or not UTF-8)")
    }
    username = decoded[0].flatMap { $0.isEmpty ? nil : $0 }
    password = decoded.count == 2 ? decoded[1].flatMap { $0.isEmpty ? nil : $0 } : nil
    guard username == nil || password != nil else {
      throw Self.wrong("has a user without a password (write ':password@' for the default user's password)")
    }
  }

  /// Digits only: `Int` would take "+1" too.
  private static func decimal(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }

  private static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Substring(text).utf8
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexadecimal), let low = rest.popFirst().flatMap(hexadecimal) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    Character(UnicodeScalar(byte)).hexDigitValue.map(UInt8.init)
  }
}
