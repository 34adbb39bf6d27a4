import HashRing
import Placement
import RedisClient
import RedisDirectory
import Sessions
import TestServers
import Testing

@Suite struct ViewFollowerTests {
  private func following(
    _ registry: TestRegistry, _ configuration: RedisConfiguration? = nil, pollInterval: Duration,
    _ body: (ViewFollower) async throws -> Void
  ) async throws {
    let follower = ViewFollower(
      directory: registry.directory, configuration: configuration ?? registry.configuration,
      pollInterval: pollInterval, logger: registry.logger)
    let running = Task { await follower.run() }
    defer { running.cancel() }
    try await body(follower)
    running.cancel()
    await running.value
  }

  private func subscribers(_ registry: TestRegistry) async throws -> String {
    try await registry.server.cli("PUBSUB", "NUMSUB", "pushring:{test}:views")
  }

  /// As differences, which are to lead to the very ring that the members have.
  @Test(arguments: [nil, 105]) func aSubscriptionBringsViewsLongBeforeThePoll(shareCap: Int?) async throws {
    var settings = TestRegistry.patientSettings
    settings.shareCap = try shareCap.map { try ShareCap(percent: $0) }
    try await withRegistry(settings) { registry in
      try await following(registry, pollInterval: .seconds(3_600)) { follower in
        #expect(follower.window == nil)
        try await eventually("subscribed") { try await subscribers(registry).hasSuffix("1") }
        let first = try await registry.directory.join(pod(1))
        try await eventually("the first view") { follower.window?.current.stamp.version == 1 }
        let second = try await registry.directory.join(pod(2))
        try await eventually("the second view") { follower.window == second.window }
        #expect(follower.window?.current.ring.shareCap?.percent == shareCap)
        for member in [first, second] {
          #expect(try await registry.directory.acknowledge(member.incarnation, view: second.window.current.stamp))
        }
        try await eventually("the settled view") { follower.window?.settled == second.window.current }
        #expect(try await registry.directory.window() == follower.window)
      }
    }
  }

  @Test func withoutASubscriptionPollingFindsViews() async throws {
    // May do everything but subscribe.
    let blind = RedisServer.User(name: "blind", password: "secret", rules: "~* +@all resetchannels")
    try await withRegistry(users: [blind]) { registry in
      let configuration = try RedisConfiguration(url: "redis://blind:secret@127.0.0.1:\(registry.server.port)")
      try await following(registry, configuration, pollInterval: .milliseconds(20)) { follower in
        let first = try await registry.directory.join(pod(1))
        try await eventually("the first view") { follower.window == first.window }
        let second = try await registry.directory.join(pod(2))
        try await eventually("the second view") { follower.window == second.window }
        #expect(try await subscribers(registry).hasSuffix("0"))
      }
    }
  }

  @Test func aKilledSubscriptionComesBackAndMissesNothing() async throws {
    try await withRegistry { registry in
      try await following(registry, pollInterval: .seconds(3_600)) { follower in
        try await eventually("subscribed") { try await subscribers(registry).hasSuffix("1") }
        try await registry.server.cli("CLIENT", "KILL", "TYPE", "pubsub")
        let joined = try await registry.directory.join(pod(1))
        try await eventually("the view") { follower.window == joined.window }
      }
    }
  }

  @Test func eachConsumerHasAStreamOfItsOwn() async throws {
    try await withRegistry { registry in
      try await following(registry, pollInterval: .milliseconds(20)) { follower in
        let streams = [follower.windows(), follower.windows()]
        let joined = try await registry.directory.join(pod(1))
        for stream in streams {
          let window = try await bounded(.seconds(5), "a window") { await stream.first { _ in true } }
          #expect(window == joined.window)
        }
      }
    }
  }

  @Test func confirmationGoesOnWhileNothingChanges() async throws {
    try await withRegistry { registry in
      _ = try await registry.directory.join(pod(1))
      try await following(registry, pollInterval: .milliseconds(20)) { follower in
        let first = try await waitUntil("a confirmation") { follower.confirmedAt }
        try await eventually("a later one") { follower.confirmedAt.map { $0 > first } ?? false }
      }
    }
  }

  @Test func aTakeoverIsHintedAtOnce() async throws {
    try await withRegistry { registry in
      try await following(registry, pollInterval: .seconds(3_600)) { follower in
        let old = Incarnation(rawValue: 11)
        var hints = follower.takeoverHints(for: old).makeAsyncIterator()
        // The subscription itself is the first hint: there may have been some before.
        await hints.next()
        let session = try key("ann", "phone")
        for incarnation in [old, Incarnation(rawValue: 12)] {
          _ = try await registry.directory.register(
            session, podID: "pod", incarnation: incarnation, lastEpoch: .none)
        }
        await hints.next()
        #expect(try await registry.directory.takeTakeovers(old).map(\.key) == [session])
      }
    }
  }
}
