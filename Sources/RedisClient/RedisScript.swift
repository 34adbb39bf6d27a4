/// A Lua script. Its SHA-1, which EVALSHA wants, comes from the server's own SCRIPT LOAD.
public struct RedisScript: Sendable, Hashable {
  /// For errors.
  public let name: String
  public let source: String
  public init(name: String, source: String) {
    self.name = name
    self.source = source
  }
}

/// One call of a script among several.
public struct RedisScriptCall: Sendable {
  public var keys: [String]
  public var arguments: [RedisArgument]
  public init(keys: [String], arguments: [RedisArgument]) {
    self.keys = keys
    self.arguments = arguments
  }

  func command(sha1: RedisArgument) -> RedisCommand {
    RedisCommand(["EVALSHA", sha1, RedisArgument(keys.count)] + keys.map { RedisArgument($0) } + arguments)
  }
}
