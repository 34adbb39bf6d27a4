import RedisClient
import TestServers
import Testing

/// What a client does with a server that works.
@Suite struct CommandTests {
  @Test func aCommandIsAnswered() async throws {
    try await withServer { _, client in
      try await expect(client, ["SET", "k", "v"], gives: .status("OK"))
      try await expect(client, ["GET", "k"], gives: .bulk(Array("v".utf8)))
      try await expect(client, ["GET", "absent"], gives: .null)
      try await expect(client, ["MGET", "k", "absent"], gives: .array([.bulk(Array("v".utf8)), .null]))
    }
  }

  @Test func aPipelineGivesOneResultForEachCommandInOrder() async throws {
    try await withServer { _, client in
      let results = await client.pipeline((1...1_000).map { _ in ["INCR", "counter"] })
      #expect(results == (1...1_000).map { .integer($0) }.map(Result.success))
      let nothing = await client.pipeline([])
      #expect(nothing.isEmpty)
    }
  }

  @Test func manyCallersGetEachTheirOwnReply() async throws {
    try await withServer { _, client in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<5_000 {
          group.addTask {
            try await expect(client, ["ECHO", RedisArgument(number)], gives: .bulk(Array(String(number).utf8)))
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func everyByteAndEveryLengthComesBack() async throws {
    try await withServer { _, client in
      let all = Array(UInt8.min...UInt8.max)
      for value in [[], all, Array("\r\n$-1\r\n".utf8)] {
        try await expect(client, ["ECHO", RedisArgument(value)], gives: .bulk(value))
      }
      let large = Array(repeatElement(all, count: 5 * 4096).joined())
      _ = try await client.send(["SET", RedisArgument(all), RedisArgument(large)])
      try await expect(client, ["GET", RedisArgument(all)], gives: .bulk(large))
    }
  }

  @Test func anErrorOfTheServerNamesAddressAndCommandButNotTheArguments() async throws {
    try await withServer { server, client in
      _ = try await client.send(["SET", "text", "x"])
      let error = try await failure { () throws(RedisError) in try await client.send(["LPUSH", "text", "s3cret"]) }
      #expect(error.code == .server)
      #expect(error.mayHaveRun)
      #expect(error.message.contains("redis://127.0.0.1:\(server.port)/0: LPUSH: WRONGTYPE"))
      #expect(!error.message.contains("s3cret"))
    }
  }

  @Test func anErrorInAPipelineIsThatCommandsAlone() async throws {
    try await withServer { _, client in
      let results = await client.pipeline([["SET", "a", "1"], ["NONSENSE"], ["GET", "a"]])
      #expect(results[0] == .success(.status("OK")))
      #expect(throws: RedisError.self) { try results[1].get() }
      #expect(results[2] == .success(.bulk(Array("1".utf8))))
    }
  }

  @Test func whatExceedsTheBoundIsRefusedUnsent() async throws {
    try await withServer(configure: { $0.maximumInFlight = 10 }) { _, client in
      let refused = await client.pipeline((0..<11).map { _ in ["INCR", "counter"] })
      for result in refused {
        let error = #expect(throws: RedisError.self) { try result.get() }
        #expect(error?.code == .overloaded && error?.mayHaveRun == false)
      }
      try await expect(client, ["GET", "counter"], gives: .null)
      let accepted = await client.pipeline((0..<10).map { _ in ["INCR", "counter"] })
      #expect(accepted.last == .success(.integer(10)))
    }
  }

  @Test func theBoundHoldsForAllCallersTogether() async throws {
    try await withServer(configure: { $0.maximumInFlight = 100 }) { server, client in
      _ = try await client.send(["PING"])
      server.suspend()
      let codes = await withTaskGroup(of: RedisError.Code?.self) { group in
        for _ in 0..<1_000 {
          group.addTask { await errorOf(client, ["INCR", "n"])?.code }
        }
        var codes: [RedisError.Code?] = []
        for await code in group {
          codes.append(code)
          if codes.count == 900 { server.resume() }
        }
        return codes
      }
      #expect(codes.count { $0 == .overloaded } == 900)
      #expect(codes.count { $0 == nil } == 100)
      try await expect(client, ["GET", "n"], gives: .bulk(Array("100".utf8)))
    }
  }

  @Test func theChosenDatabaseIsUsed() async throws {
    try await withServer(configure: { $0.database = 3 }) { server, client in
      _ = try await client.send(["SET", "k", "in three"])
      #expect(try await server.cli("-n", "3", "GET", "k") == "in three")
      #expect(try await server.cli("GET", "k") == "")
    }
  }

  @Test func aDatabaseThatDoesNotExistIsToldClearly() async throws {
    try await withServer(configure: { $0.database = 999 }) { _, client in
      let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
      #expect(error.message.contains("SELECT") && error.message.contains("out of range"))
      #expect(!error.mayHaveRun)
    }
  }

  @Test func aCancelledCallReturnsAtOnceAndItsReplyGoesToNobodyElse() async throws {
    try await withServer { server, client in
      _ = try await client.send(["PING"])
      server.suspend()
      let cancelled = Task { await errorOf(client, ["ECHO", "old"]) }
      cancelled.cancel()
      #expect(await cancelled.value?.code == .cancelled)
      async let next = client.send(["ECHO", "new"])
      server.resume()
      #expect(try await next == .bulk(Array("new".utf8)))
    }
  }

  @Test func repliesComeWithTheRunIDOfTheProcessThatGaveThem() async throws {
    try await withServer { server, client in
      let (replies, first) = await client.identifiedPipeline([["INFO", "server"]])
      guard case .bulk(let text) = try replies[0].get() else { throw TestServerError("no text") }
      #expect(String(decoding: text, as: UTF8.self).contains("run_id:\(try #require(first))"))
      try await server.restart(empty: true)
      let second = try await waitUntil("the client is connected again") {
        let (replies, runID) = await client.identifiedPipeline([["PING"]])
        return (try? replies[0].get()) == nil ? nil : runID
      }
      #expect(second != first)
    }
  }
}
