import RedisClient
import TestServers
import Testing

@Suite struct ScriptTests {
  static let increment = RedisScript(
    name: "increment", source: "return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])}")

  func expected(_ by: Int, _ sum: Int64) -> RedisValue {
    .array([.bulk(Array("n".utf8)), .bulk(Array(String(by).utf8)), .integer(sum)])
  }

  @Test func aScriptRunsWithItsKeysAndArguments() async throws {
    try await withServer { _, client in
      let sum2 = try await client.evaluate(Self.increment, keys: ["n"], arguments: [2])
      #expect(sum2 == expected(2, 2))
      let sum5 = try await client.evaluate(Self.increment, keys: ["n"], arguments: [3])
      #expect(sum5 == expected(3, 5))
    }
  }

  @Test func aScriptThatTheServerForgotIsLoadedAgainAndRunsOnce() async throws {
    try await withServer { server, client in
      _ = try await client.evaluate(Self.increment, keys: ["n"], arguments: [1])
      try await server.cli("SCRIPT", "FLUSH")
      let sum2 = try await client.evaluate(Self.increment, keys: ["n"], arguments: [1])
      #expect(sum2 == expected(1, 2))
      try await server.cli("SCRIPT", "FLUSH")
      let calls = (0..<100).map { _ in RedisScriptCall(keys: ["n"], arguments: [1]) }
      let results = await client.evaluate(Self.increment, calls: calls)
      #expect(results == (3...102).map { expected(1, $0) }.map(Result.success))
    }
  }

  @Test func oneFailingCallAmongManyFailsAlone() async throws {
    try await withServer { _, client in
      let arguments: [RedisArgument] = [1, "x", 2]
      let results = await client.evaluate(
        Self.increment, calls: arguments.map { RedisScriptCall(keys: ["n"], arguments: [$0]) })
      #expect(results[0] == .success(expected(1, 1)))
      let error = #expect(throws: RedisError.self) { try results[1].get() }
      #expect(error?.code == .server)
      #expect(results[2] == .success(expected(2, 3)))
    }
  }

  @Test func aScriptWithASyntaxErrorIsNamed() async throws {
    try await withServer { _, client in
      let broken = RedisScript(name: "broken", source: "return (")
      let error = try await failure { () throws(RedisError) in
        try await client.evaluate(broken, keys: [], arguments: [])
      }
      #expect(error.code == .server && error.message.contains("script 'broken'"))
      #expect(!error.mayHaveRun)
    }
  }
}
