@testable import RedisClient
import TestServers
import Testing

/// What callers see when the server is away, silent, or back.
@Suite struct OutageTests {
  func awaitAnswer(_ client: RedisClient) async throws {
    try await eventually("the client has a connection again") {
      await errorOf(client, ["PING"]) == nil
    }
  }

  @Test func aServerThatWasKilledAndRestartedIsUsedAgainWithoutHelp() async throws {
    var options = RedisServer.Options()
    options.isPersistent = true
    try await withServer(options) { server, client in
      _ = try await client.send(["SET", "k", "kept"])
      for _ in 0..<3 {
        try await server.restart(empty: false)
        try await awaitAnswer(client)
        try await expect(client, ["GET", "k"], gives: .bulk(Array("kept".utf8)))
      }
      try await server.restart(empty: true)
      try await awaitAnswer(client)
      try await expect(client, ["GET", "k"], gives: .null)
    }
  }

  @Test func whileTheServerIsAwayCommandsFailAtOnceAndSayWhy() async throws {
    try await withServer { server, client in
      _ = try await client.send(["PING"])
      try await server.kill()
      try await eventually("the loss is known") {
        await errorOf(client, ["PING"])?.message.contains("connection refused") == true
      }
      let begin = ContinuousClock.now
      let error = try await failure { () throws(RedisError) in try await client.send(["GET", "k"]) }
      #expect(ContinuousClock.now - begin < .milliseconds(500))
      #expect(error.code == .unavailable && !error.mayHaveRun)
      #expect(error.message.contains("redis://127.0.0.1:\(server.port)/0: GET: no connection for"))
      #expect(error.message.contains("check that redis-server runs"))
    }
  }

  @Test func theFirstCommandToAWrongAddressFailsWithTheReasonAndNotByTimeOut() async throws {
    var configuration = RedisConfiguration(host: "127.0.0.1", port: try freePort())
    configuration.commandTimeout = patience
    try await withClient(configuration) { [configuration] client in
      let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
      #expect(error.code == .unavailable && !error.mayHaveRun)
      #expect(error.message.contains("connection refused"))
      #expect(error.message.contains(configuration.address))
    }
  }

  @Test func aNameThatDoesNotResolveIsToldAsSuch() async throws {
    var configuration = RedisConfiguration(host: "no-such-host.invalid")
    (configuration.connectTimeout, configuration.commandTimeout) = (patience, patience)
    try await withClient(configuration) { client in
      let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
      #expect(error.message.contains("'no-such-host.invalid' can't be resolved"), "\(error)")
    }
  }

  @Test func aCommandBeforeRunWaitsForItAndTimesOutWithoutIt() async throws {
    let server = try await RedisServer.start()
    var configuration = try RedisConfiguration(url: server.url)
    configuration.commandTimeout = .milliseconds(100)
    let client = RedisClient(configuration: configuration, logger: quiet)
    let error = try await failure { () throws(RedisError) in try await client.send(["INCR", "n"]) }
    #expect(error.code == .timeout && !error.mayHaveRun && error.message.contains("run()"))

    configuration.commandTimeout = .seconds(10)
    let patient = RedisClient(configuration: configuration, logger: quiet)
    async let reply = patient.send(["INCR", "n"])
    let running = Task { await patient.run() }
    #expect(try await reply == .integer(1))
    running.cancel()
    await running.value
  }

  @Test func commandsInFlightWhenTheServerDiesMayHaveRun() async throws {
    try await withServer { server, client in
      _ = try await client.send(["PING"])
      server.suspend()
      async let reply = client.pipeline([["INCR", "n"], ["INCR", "n"]])
      try await eventually("the commands are sent") { await client.commandsInFlight() == 2 }
      try await server.kill()
      for result in await reply {
        let error = #expect(throws: RedisError.self) { try result.get() }
        #expect(error?.code == .unavailable && error?.mayHaveRun == true)
        #expect(error?.message.contains("read the state before you repeat it") == true)
      }
    }
  }

  @Test func aSilentServerTimesOutAndItsLateRepliesGoToNobody() async throws {
    try await withServer(configure: { $0.commandTimeout = .seconds(1) }) { server, client in
      try await awaitAnswer(client)
      server.suspend()
      let results = await client.pipeline([["ECHO", "late"], ["INCR", "n"]])
      for result in results {
        let error = #expect(throws: RedisError.self) { try result.get() }
        #expect(error?.code == .timeout && error?.mayHaveRun == true)
        #expect(error?.message.contains("no reply within 1.0 s") == true)
      }
      server.resume()
      try await awaitAnswer(client)
      for number in 0..<100 {
        try await expect(client, ["ECHO", RedisArgument(number)], gives: .bulk(Array(String(number).utf8)))
      }
    }
  }

  @Test func aCommandThatTheServerHoldsBackTimesOutAndTheClientRecovers() async throws {
    try await withServer(configure: { $0.commandTimeout = .seconds(1) }) { server, client in
      try await awaitAnswer(client)
      try await server.cli("CLIENT", "PAUSE", "60000", "WRITE")
      let error = try await failure { () throws(RedisError) in try await client.send(["SET", "k", "v"]) }
      #expect(error.code == .timeout && error.mayHaveRun)
      try await server.cli("CLIENT", "UNPAUSE")
      try await awaitAnswer(client)
    }
  }

  @Test func aConnectionThatTheServerClosesIsReplaced() async throws {
    try await withServer { server, client in
      _ = try await client.send(["PING"])
      try await server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      try await awaitAnswer(client)
    }
  }

  @Test func aStoppedClientFailsWhatIsInFlightAndWhatComesAfter() async throws {
    let server = try await RedisServer.start()
    let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: quiet)
    let running = Task { await client.run() }
    _ = try await client.send(["PING"])
    server.suspend()
    async let reply = client.pipeline([["PING"]])
    try await eventually("the command is sent") { await client.commandsInFlight() == 1 }
    running.cancel()
    await running.value
    let results = await reply
    let error = #expect(throws: RedisError.self) { try results[0].get() }
    #expect(error?.code == .unavailable && error?.message.contains("stopped") == true)
    let later = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
    #expect(later.code == .unavailable && later.message.contains("run() has returned"))
  }
}
