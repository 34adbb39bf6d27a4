import GRPCCore
import EpollSessionEdge
import Logging
import SessionEdge
import TestCalls
import TestServers
import Testing

@Suite struct EdgeLifeTests {
  @Test func stoppingEndsAParkedCallAtTheDeadline() async throws {
    try await withEdge { address, application, edge in
      let client = try TestClient(address)
      let (call, _) = try await application.parked(client)
      let start = ContinuousClock.now
      try await bounded(.seconds(5), "the stop") { await edge.stop(deadline: .milliseconds(300)) }
      #expect(start.duration(to: .now) >= .milliseconds(300))
      #expect(try await application.closeReason() == .edgeStopped)
      #expect(try await call.status().code == .unavailable)
      await client.close()
    }
  }

  @Test func stoppingEndsACallWhoseClientDoesNotRead() async throws {
    try await withEdge { address, application, edge in
      let client = try TestClient(address)
      let (_, served) = try await application.parked(client)
      for _ in 0..<100 { served.send([UInt8](repeating: 1, count: 64 * 1024)) }
      served.end(EdgeStatus(.ok))
      try await bounded(.seconds(5), "the stop") { await edge.stop(deadline: .milliseconds(200)) }
      _ = try await application.closeReason()
      await client.close()
    }
  }

  @Test func callsThatEndInTimeLetTheStopBeEarly() async throws {
    try await withEdge { address, application, edge in
      let client = try TestClient(address)
      let (call, served) = try await application.parked(client)
      let stopping = Task { await edge.stop(deadline: .seconds(30)) }
      served.end(EdgeStatus(.unavailable, "leaving"))
      #expect(try await call.status().message == "leaving")
      await client.close()
      try await bounded(.seconds(5), "the stop") { await stopping.value }
      #expect(try await application.closeReason() == .ended)
    }
  }

  @Test func aPortInUseIsNamed() async throws {
    try await withEdge { address, _, _ in
      let port = Int(address.split(separator: ":")[1]) ?? 0
      let second = EpollSessionEdge(
        configuration: EdgeConfiguration(host: "127.0.0.1", port: port), logger: Logger(label: "second"))
      let error = await #expect(throws: EdgeError.self) { try await second.run(EchoApplication()) }
      #expect(error?.message.contains(address) == true, "\(String(describing: error))")
      await #expect(throws: EdgeError.self) { try await second.address() }
    }
  }

  @Test func aPeerThatAnswersNoPingIsFoundDead() async throws {
    try await withEdge({
      $0.keepAliveInterval = .milliseconds(200)
      $0.keepAliveTimeout = .milliseconds(200)
    }) { address, application, _ in
      let silent = try SilentPeer(address)
      try silent.openCall("/test.Echo/Park")
      guard case .connectionLost = try await application.closeReason() else {
        Issue.record("closed with \(application.now.closes)")
        return
      }
      silent.close()
    }
  }

  @Test func aPeerThatAnswersPingsStaysConnected() async throws {
    try await withEdge({
      $0.keepAliveInterval = .milliseconds(200)
      $0.keepAliveTimeout = .milliseconds(800)
    }) { address, application, _ in
      let client = try TestClient(address)
      let (parked, _) = try await application.parked(client)
      // As long as a silent peer of the same server needs to be found dead, twice.
      for dead in 1...2 {
        let silent = try SilentPeer(address)
        try silent.openCall("/test.Echo/Park")
        try await eventually("silent peer \(dead) is found dead") { application.now.closes.count == dead }
        silent.close()
      }
      let served = application.now.calls[0]
      served.send(bytes("still here"))
      #expect(try await parked.next() == bytes("still here"))
      parked.cancel()
      await client.close()
    }
  }
}
