/// A Lua script. Its SHA-1, which EVALSHA wants, comes from the server's own SCRIPT LOAD.
public struct RedisScript: Sendable, Hashable {
  /// For errors.
  public let name: String
  public let source: String
  public init(name: String, source: String) {
    self.name = name
    self.source = source
  }

  /// By the name alone: it is looked up for each call, and sources are long.
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// One call of a script among several, with a command right before or after it if one is given: nothing comes between the
/// two.
public struct RedisScriptCall: Sendable {
  public var keys: [String]
  public var arguments: [RedisArgument]
  public var before: RedisCommand?
  public var after: RedisCommand?
  public init(
    keys: [String], arguments: [RedisArgument], before: RedisCommand? = nil, after: RedisCommand? = nil
  ) {
    self.keys = keys
    self.arguments = arguments
    self.before = before
    self.after = after
  }

  /// For a script that did not run although the others have.
  var withoutCompanions: RedisScriptCall { RedisScriptCall(keys: keys, arguments: arguments) }

  func commands(sha1: RedisArgument) -> [RedisCommand] {
    let script = RedisCommand(
      ["EVALSHA", sha1, RedisArgument(keys.count)] + keys.map { RedisArgument($0) } + arguments)
    return [before, script, after].compactMap { $0 }
  }

  /// The script's value, unless one of its commands failed.
  ///
  /// - Parameter replies: one for each of `commands`.
  func result(_ replies: ArraySlice<Result<RedisValue, RedisError>>) -> Result<RedisValue, RedisError> {
    let script = replies[replies.startIndex + (before == nil ? 0 : 1)]
    guard case .success = script else { return script }
    for case .failure(let error) in replies { return .failure(error) }
    return script
  }
}
