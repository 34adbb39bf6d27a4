/// What Redis' error replies mean for us. Their first word is their kind ("WRONGPASS …").
enum ServerErrors {
  static func error(_ text: String, command: String, address: String) -> RedisError {
    let advice = advice(text).map { "; \($0)" } ?? ""
    return RedisError(
      code: isAuthentication(text) ? .authentication : .server, message: "\(address): \(command): \(text)\(advice)",
      mayHaveRun: true)
  }

  static func isMissingScript(_ error: RedisError) -> Bool {
    error.code == .server && error.message.contains(": NOSCRIPT ")
  }

  private static func isAuthentication(_ text: String) -> Bool {
    text.hasPrefix("WRONGPASS") || text.hasPrefix("NOAUTH")
      || text.hasPrefix("ERR invalid password")  // before Redis 6
      || text.hasPrefix("ERR AUTH") || text.hasPrefix("ERR Client sent AUTH")  // a password where none is set
  }

  private static func advice(_ text: String) -> String? {
    switch text.prefix(while: { $0 != " " }) {
    case "NOAUTH": "the server wants a password: set one (redis://user:password@…)"
    case "WRONGPASS": "check user and password"
    case "NOPERM": "give the user this right in the server's access control list (ACL SETUSER)"
    case "LOADING": "the server is reading its data: try again later"
    case "READONLY": "this is a replica: use the primary's address"
    case "OOM": "the server is at its memory limit (maxmemory)"
    case "MISCONF": "the server can't save its data: see its log"
    default: text.hasPrefix("ERR AUTH") ? "the server has no such password: remove it from the URL" : nil
    }
  }
}
