internal import RedisClient
internal import Synchronization

// A script together with a command on another slot, in one round trip.

/// One call of a script, with a command right before or after it on the same connection: nothing comes between the two.
struct CompanionCall: Sendable {
  var key: String
  var arguments: [RedisArgument]
  var before: RedisCommand?
  var after: RedisCommand?
}

extension RedisDirectory {
  func evaluate(
    _ script: RedisScript, key: String, arguments: [RedisArgument], before: RedisCommand? = nil,
    after: RedisCommand? = nil
  ) async throws(DirectoryError) -> RedisValue {
    let call = CompanionCall(key: key, arguments: arguments, before: before, after: after)
    return try await evaluate(script, [call])[0].get()
  }

  /// All in one pipeline; one result each, in order.
  func evaluate(_ script: RedisScript, _ calls: [CompanionCall]) async -> [Result<RedisValue, DirectoryError>] {
    let sha1: RedisArgument
    do throws(RedisError) {
      sha1 = try await self.sha1(of: script)
    } catch {
      return calls.map { _ in .failure(failed(script.name, error)) }
    }
    var replies = await client.pipeline(calls.flatMap { $0.commands(sha1: sha1) })[...]
    var results = calls.map { call in
      let own = Array(replies.prefix(call.commandCount))
      replies = replies.dropFirst(own.count)
      return call.result(own)
    }
    let missing = results.indices.filter { Self.isMissingScript(results[$0]) }
    if !missing.isEmpty {
      // Redis was restarted, or its scripts were flushed. The companions have run; loading costs round trips, this once.
      let repeated = await client.evaluate(
        script, calls: missing.map { RedisScriptCall(keys: [calls[$0].key], arguments: calls[$0].arguments) })
      for (index, result) in zip(missing, repeated) { results[index] = result }
    }
    return results.map { result in result.mapError { failed(script.name, $0) } }
  }

  private static func isMissingScript(_ result: Result<RedisValue, RedisError>) -> Bool {
    guard case .failure(let error) = result else { return false }
    return error.code == .server && error.message.contains("NOSCRIPT")
  }

  /// From the server's own SCRIPT LOAD, once per program.
  private func sha1(of script: RedisScript) async throws(RedisError) -> RedisArgument {
    if let known = state.withLock({ $0.sha1ByScript[script.name] }) { return known }
    guard case .bulk(let bytes) = try await client.send(["SCRIPT", "LOAD", RedisArgument(script.source)]) else {
      throw RedisError(code: .protocolViolation, message: "SCRIPT LOAD gave no SHA-1", mayHaveRun: false)
    }
    let sha1 = RedisArgument(bytes)
    state.withLock { $0.sha1ByScript[script.name] = sha1 }
    return sha1
  }
}

extension CompanionCall {
  fileprivate var commandCount: Int { 1 + (before == nil ? 0 : 1) + (after == nil ? 0 : 1) }

  fileprivate func commands(sha1: RedisArgument) -> [RedisCommand] {
    [before, RedisCommand(["EVALSHA", sha1, 1, RedisArgument(key)] + arguments), after].compactMap { $0 }
  }

  /// The script's value, if nothing of it failed.
  fileprivate func result(_ replies: [Result<RedisValue, RedisError>]) -> Result<RedisValue, RedisError> {
    let script = replies[before == nil ? 0 : 1]
    guard case .success = script else { return script }
    for case .failure(let error) in replies { return .failure(error) }
    return script
  }
}
