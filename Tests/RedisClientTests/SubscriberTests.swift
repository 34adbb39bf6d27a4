import RedisClient
import TestServers
import Testing

@Suite struct SubscriberTests {
  /// Runs a subscriber and gives its events, one at a time and bounded.
  func withSubscriber(
    _ channels: [String], configure: (inout RedisConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (RedisServer, EventReader) async throws -> Void
  ) async throws {
    let server = try await RedisServer.start()
    var configuration = try RedisConfiguration(url: server.url)
    configure(&configuration)
    let subscriber = RedisSubscriber(configuration: configuration, channels: channels, logger: quiet)
    try await bounded(.seconds(30)) {
      let running = Task { await subscriber.run() }
      defer { running.cancel() }
      let reader = EventReader(subscriber: subscriber)
      try await body(server, reader)
      running.cancel()
      await running.value
    }
  }

  struct EventReader: Sendable {
    let subscriber: RedisSubscriber

    func next() async -> RedisSubscriptionEvent? {
      var iterator = subscriber.events.makeAsyncIterator()
      return await iterator.next()
    }
  }

  func message(_ channel: String, _ text: String) -> RedisSubscriptionEvent {
    .message(channel: channel, payload: Array(text.utf8))
  }

  @Test func messagesOfAllChannelsArriveInOrderAfterSubscribed() async throws {
    try await withSubscriber(["a", "b"]) { server, events in
      #expect(await events.next() == .subscribed)
      try await server.cli("PUBLISH", "a", "one")
      try await server.cli("PUBLISH", "b", "two")
      try await server.cli("PUBLISH", "c", "not ours")
      try await server.cli("PUBLISH", "a", "three")
      #expect(await events.next() == message("a", "one"))
      #expect(await events.next() == message("b", "two"))
      #expect(await events.next() == message("a", "three"))
    }
  }

  @Test func afterARestartItSubscribesAgainAndTellsOfTheGap() async throws {
    try await withSubscriber(["a"]) { server, events in
      #expect(await events.next() == .subscribed)
      try await server.restart(empty: true)
      #expect(await events.next() == .disconnected)
      #expect(await events.next() == .subscribed)
      try await server.cli("PUBLISH", "a", "after")
      #expect(await events.next() == message("a", "after"))
    }
  }

  @Test func aServerThatFallsSilentIsNoticed() async throws {
    try await withSubscriber(["a"], configure: { $0.subscriptionIdleTimeout = .milliseconds(250) }) { server, events in
      #expect(await events.next() == .subscribed)
      server.suspend()
      #expect(await events.next() == .disconnected)
      server.resume()
      #expect(await events.next() == .subscribed)
    }
  }

  @Test func anIdleServerThatAnswersPINGIsKept() async throws {
    try await withSubscriber(["a"], configure: { $0.subscriptionIdleTimeout = .milliseconds(250) }) { server, events in
      #expect(await events.next() == .subscribed)
      try await eventually("several PINGs were sent") {
        let statistics = try await server.cli("INFO", "commandstats")
        let calls = statistics.firstMatch(of: /cmdstat_ping:calls=(\d+)/).flatMap { Int($0.1) } ?? 0
        return calls > 3
      }
      try await server.cli("PUBLISH", "a", "still here")
      #expect(await events.next() == message("a", "still here"))
    }
  }

  @Test func whenTheTaskIsCancelledTheEventsEnd() async throws {
    let server = try await RedisServer.start()
    let subscriber = RedisSubscriber(
      configuration: try RedisConfiguration(url: server.url), channels: ["a"], logger: quiet)
    let running = Task { await subscriber.run() }
    try await bounded {
      for await event in subscriber.events {
        #expect(event == .subscribed)
        running.cancel()
      }
    }
    await running.value
  }
}
