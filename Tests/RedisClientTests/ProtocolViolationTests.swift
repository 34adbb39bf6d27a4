import RedisClient
import TestServers
import Testing

@Suite struct ProtocolViolationTests {
  @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n", "*1\r\n@\r\n"])
  func aServerThatDoesNotSpeakRedisIsToldAsSuch(_ rubbish: String) async throws {
    try await FakeServer.with(answering: rubbish) { server in
      try await withClient(server.configuration) { client in
        let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
        #expect(error.code == .protocolViolation, "\(error)")
        #expect(error.message.contains("check the address"))
        #expect(!error.message.contains("may have run"))
      }
    }
  }

  @Test(arguments: [true, false])
  func aServerThatTakesTheConnectionAndDoesNotAnswerIsToldFromOneThatIsNotThere(usesTLS: Bool) async throws {
    try await FakeServer.with(answering: "") { server in
      var configuration = server.configuration
      configuration.usesTLS = usesTLS
      configuration.commandTimeout = .seconds(1)
      try await withClient(configuration) { client in
        let error = try await failure { () throws(RedisError) in try await client.send(["PING"]) }
        #expect(error.code == .timeout && !error.message.contains("run()"), "\(error)")
        #expect(error.message.contains("TLS on this port") == usesTLS, "\(error)")
      }
    }
  }

  @Test func aReplyThatNothingWasAskedForEndsTheConnection() async throws {
    // Two replies to the greeting's PING: the second belongs to no command, and must not answer the next one.
    try await FakeServer.with(answering: "+PONG\r\n+SURPRISE\r\n") { server in
      try await withClient(server.configuration) { client in
        try await eventually("the violation is known") {
          // A value here would be the surprise, given to a command that did not ask.
          let error = try await failure { () throws(RedisError) in try await client.send(["GET", "k"]) }
          return error.message.contains("SURPRISE")
        }
      }
    }
  }
}
