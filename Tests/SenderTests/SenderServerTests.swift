import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Sender
import TestServers
import Testing
import Wire

/// `pushring.v1.Pushes` as a backend sees it.
@Suite struct SenderServerTests {
  typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

  func withServer(
    pods: Int = 1, _ configure: (inout SenderConfiguration) -> Void = { _ in },
    _ body: (TestCluster, Client) async throws -> Void
  ) async throws {
    try await withCluster(pods: pods, configure) { cluster in
      let server = SenderServer(sender: cluster.sender, host: "127.0.0.1", port: 0, logger: TestCluster.logger)
      let running = Task { try await server.run() }
      let port = try #require(Int(try await server.address().split(separator: ":").last ?? ""))
      try await withGRPCClient(
        transport: try .http2NIOPosix(
          target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
      ) { client in
        try await body(cluster, client)
      }
      running.cancel()
      try await bounded(.seconds(10), "the server's stop") { try await running.value }
    }
  }

  @Test func aPushIsAnsweredWithRouteCostAndOutcomes() async throws {
    try await withServer { cluster, client in
      try await cluster.open("desk", of: "ann", on: 0)
      var request = Pushring_V1_PushRequest()
      request.userID = "ann"
      let result = try await Pushring_V1_Pushes.Client(wrapping: client).push(request)
      #expect(result.userID == "ann" && !result.messageID.isEmpty)
      #expect(result.route == .directory && result.completeness == .complete)
      #expect(result.deliverRpcs == 1 && result.registryReads == 1)
      #expect(result.results.map(\.sessionID) == ["desk"] && result.results.map(\.podID) == ["pod-0"])
      #expect(result.results.map(\.outcome) == [.delivered])
      #expect(result.view.version >= 1)
    }
  }

  @Test func aWrongPushIsAnInvalidArgument() async throws {
    try await withServer { _, client in
      let refusal = await refused {
        _ = try await Pushring_V1_Pushes.Client(wrapping: client).push(Pushring_V1_PushRequest())
      }
      #expect(refusal?.code == .invalidArgument && refusal?.message.contains("user id") == true)
      #expect(refusal?.metadata[stringValues: "pushring-refused"].map { $0 } == ["invalidArgument"])
    }
  }

  @Test func pushManyAnswersInOrderAndRefusesOnlyTheWrongUsers() async throws {
    try await withServer { cluster, client in
      try await cluster.open("desk", of: "bob", on: 0)
      var request = Pushring_V1_PushManyRequest()
      request.userIds = ["ann", "", "bob"]
      let answer = try await Pushring_V1_Pushes.Client(wrapping: client).pushMany(request)
      #expect(answer.results.map(\.userID) == ["ann", "", "bob"])
      #expect(answer.results.map(\.error.code) == [0, 3, 0])
      #expect(answer.results.last?.results.map(\.outcome) == [.delivered])
    }
  }

  @Test func pushManyToTooManyUsersIsRefusedAsAWhole() async throws {
    try await withServer { _, client in
      var request = Pushring_V1_PushManyRequest()
      request.userIds = (0...10_000).map(String.init)
      let refusal = await refused { [request] in
        _ = try await Pushring_V1_Pushes.Client(wrapping: client).pushMany(request)
      }
      #expect(refusal?.code == .invalidArgument && refusal?.message.contains("10000") == true)
    }
  }

  @Test func aStreamOfPushesAnswersEachOnce() async throws {
    try await withServer({ $0.maximumInFlight = 8 }) { _, client in
      let correlations = try await Pushring_V1_Pushes.Client(wrapping: client).pushStream { writer in
        for number in 1...200 {
          var request = Pushring_V1_PushStreamRequest()
          request.correlation = UInt64(number)
          request.push.userID = "user-\(number)"
          try await writer.write(request)
        }
      } onResponse: { response in
        var correlations: Set<UInt64> = []
        for try await answer in response.messages where !answer.result.hasError {
          correlations.insert(answer.correlation)
        }
        return correlations
      }
      // The stream never exceeds the limit: it reads on only when there is room.
      #expect(correlations == Set(1...200))
    }
  }

  @Test func tooManyPushesAreResourceExhausted() async throws {
    try await withServer({ $0.maximumInFlight = 1 }) { cluster, client in
      cluster.pods[0].change { $0.isSilent = true }
      let first = Task { try await cluster.sender.push(Push(user: "ann", text: "")) }
      try await eventually("the first is in flight") { cluster.pods[0].look { $0.requests.count } == 1 }
      var request = Pushring_V1_PushRequest()
      request.userID = "bob"
      let refusal = await refused { [request] in
        _ = try await Pushring_V1_Pushes.Client(wrapping: client).push(request)
      }
      #expect(refusal?.code == .resourceExhausted && refusal?.message.contains("try again") == true)
      first.cancel()
      _ = try await first.value
    }
  }

  @Test func withoutPodsPushesAreUnavailableAndHealthSaysSo() async throws {
    try await withServer(pods: 0) { _, client in
      var request = Pushring_V1_PushRequest()
      request.userID = "ann"
      let refusal = await refused { [request] in
        _ = try await Pushring_V1_Pushes.Client(wrapping: client).push(request)
      }
      #expect(refusal?.code == .unavailable)
      let health = try await Grpc_Health_V1_Health.Client(wrapping: client).check(.init())
      #expect(health.status == .notServing)
    }
  }

  @Test func healthIsServingWhilePushesArePossible() async throws {
    try await withServer { _, client in
      let health = Grpc_Health_V1_Health.Client(wrapping: client)
      #expect(try await health.check(.init()).status == .serving)
      var request = Grpc_Health_V1_HealthCheckRequest()
      request.service = "no.such.Service"
      let refusal = await refused { [request] in _ = try await health.check(request) }
      #expect(refusal?.code == .notFound)
      let first = try await health.watch(.init()) { response in
        for try await status in response.messages { return status.status }
        return .unknown
      }
      #expect(first == .serving)
    }
  }

  @Test func aPortInUseIsSaidInWords() async throws {
    try await withCluster(pods: 0) { cluster in
      let holder = FakePod(podID: "holder")
      let port = try #require(Int(try await holder.start().split(separator: ":").last ?? ""))
      let server = SenderServer(sender: cluster.sender, host: "127.0.0.1", port: port, logger: TestCluster.logger)
      let refusal = await #expect(throws: SenderError.self) {
        try await bounded(.seconds(5), "the refusal") { try await server.run() }
      }
      #expect(refusal?.message.contains("127.0.0.1:\(port)") == true)
      #expect(refusal?.message.contains("the port is in use") == true)
      await holder.kill()
    }
  }

  @Test func aPushInFlightIsAnsweredWhenTheServerStops() async throws {
    try await withCluster(pods: 1) { cluster in
      try await cluster.open("desk", of: "ann", on: 0)
      let gate = AsyncStream.makeStream(of: Never.self)
      cluster.pods[0].change { $0.onRequest = { _ in for await _ in gate.stream {} } }
      let server = SenderServer(sender: cluster.sender, host: "127.0.0.1", port: 0, logger: TestCluster.logger)
      let running = Task { try await server.run() }
      let port = try #require(Int(try await server.address().split(separator: ":").last ?? ""))
      try await withGRPCClient(
        transport: try .http2NIOPosix(target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
      ) { client in
        var request = Pushring_V1_PushRequest()
        request.userID = "ann"
        async let answer = Pushring_V1_Pushes.Client(wrapping: client).push(request)
        try await eventually("it is in flight") { cluster.pods[0].look { $0.requests.count } == 1 }
        running.cancel()
        gate.continuation.finish()
        #expect(try await answer.results.map(\.outcome) == [.delivered])
      }
      try await bounded(.seconds(10), "the server's stop") { try await running.value }
    }
  }
}

/// The status that the call ended with; nil when it succeeded.
private func refused(_ call: () async throws -> Void) async -> RPCError? {
  do {
    try await call()
    return nil
  } catch {
    return error as? RPCError
  }
}
