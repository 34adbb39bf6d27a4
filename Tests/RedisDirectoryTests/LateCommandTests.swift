import Placement
import RedisClient
@testable import RedisDirectory
import Sessions
import Synchronization
import TestServers
import Testing

/// A server that was stopped carries out what waits in its sockets when it goes on, also for callers that have given up.
@Suite struct LateCommandTests {
  @Test func aRegistrationThatWasGivenUpIsNotCarriedOut() async throws {
    try await withImpatience { registry, directory in
      let session = try key("ann", "phone")
      let before = try await scriptCalls(registry)
      registry.server.suspend()
      await #expect(throws: DirectoryError.self) {
        try await directory.register(session, podID: "pod-1", incarnation: .init(rawValue: 1), lastEpoch: .none)
      }
      registry.server.resume()
      try await eventually("the waiting script has run") { try await scriptCalls(registry) == before + 1 }
      #expect(try await registry.directory.records(of: session.user) == [])
      // The next one is in time, once the client has its connection back.
      let record = try await waitUntil("a session is registered") {
        try? await directory.register(
          session, podID: "pod-1", incarnation: .init(rawValue: 1), lastEpoch: .none
        ).record
      }
      #expect(try await registry.directory.records(of: session.user) == [record])
    }
  }

  /// Another server, or one whose clock was set: what is known of it here is wrong by years.
  @Test func anUnknownClockCostsOneMoreCall() async throws {
    try await withRegistry { registry in
      let directory = registry.directory
      let sinceStart = ContinuousClock.now - directory.started
      func misjudge() { directory.state.withLock { $0.serverClock.answered(.seconds(1), toCallSent: sinceStart) } }
      misjudge()
      let record = try await directory.register(
        try key("ann", "phone"), podID: "pod-1", incarnation: .init(rawValue: 1), lastEpoch: .none
      ).record
      #expect(try await directory.records(of: record.key.user) == [record])
      misjudge()
      let restored = SessionRecord(
        key: try key("bob", "desk"), podID: "pod-1", incarnation: .init(rawValue: 1), epoch: Epoch(rawValue: 7))
      await #expect(throws: DirectoryError.self) { try await directory.restore([restored]) }
      #expect(try await directory.records(of: restored.key.user) == [])
      #expect(try await directory.restore([restored]) == [])
      #expect(try await directory.records(of: restored.key.user) == [restored])
    }
  }

  /// A directory that gives calls up quickly, and knows the server's clock from a first registration.
  private func withImpatience(_ body: (TestRegistry, RedisDirectory) async throws -> Void) async throws {
    try await withRegistry { registry in
      var configuration = registry.configuration
      configuration.commandTimeout = .milliseconds(300)
      let client = RedisClient(configuration: configuration, logger: registry.logger)
      let running = Task { await client.run() }
      let directory = RedisDirectory(
        client: client, cluster: try ClusterName("test"), settings: TestRegistry.patientSettings,
        logger: registry.logger)
      let result: Result<Void, any Error>
      do {
        try await eventually("the client is connected") { (try? await client.send(["PING"])) != nil }
        _ = try await directory.register(
          try key("bob", "desk"), podID: "pod-1", incarnation: .init(rawValue: 1), lastEpoch: .none)
        try await body(registry, directory)
        result = .success(())
      } catch {
        result = .failure(error)
      }
      registry.server.resume()
      running.cancel()
      await running.value
      try result.get()
    }
  }

  private func scriptCalls(_ registry: TestRegistry) async throws -> Int {
    let statistics = try await registry.server.cli("INFO", "commandstats")
    let line = statistics.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_evalsha:calls=") }
    return try #require(line.flatMap { Int($0.dropFirst("cmdstat_evalsha:calls=".count).prefix { $0.isNumber }) })
  }
}
