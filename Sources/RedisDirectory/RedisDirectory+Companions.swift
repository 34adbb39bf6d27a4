internal import RedisClient
internal import Synchronization

// A script together with a command on another slot, in one round trip.

extension RedisDirectory {
  /// One script, with a command right before or after it on the same connection: nothing comes between the two.
  func evaluate(
    _ script: RedisScript, key: String, arguments: [RedisArgument], before: RedisCommand? = nil,
    after: RedisCommand? = nil
  ) async throws(DirectoryError) -> RedisValue {
    do throws(RedisError) {
      let call = RedisCommand(["EVALSHA", try await sha1(of: script), 1, RedisArgument(key)] + arguments)
      let results = await client.pipeline([before, call, after].compactMap { $0 })
      let companion = results[before == nil ? 1 : 0]
      do throws(RedisError) {
        let value = try results[before == nil ? 0 : 1].get()
        _ = try companion.get()
        return value
      } catch  where error.code == .server && error.message.contains("NOSCRIPT") {
        // Redis was restarted, or its scripts were flushed. The companion has run; loading costs round trips, this once.
        return try await client.evaluate(script, keys: [key], arguments: arguments)
      }
    } catch {
      throw failed(script.name, error)
    }
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
