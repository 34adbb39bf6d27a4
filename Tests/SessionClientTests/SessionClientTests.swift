import GRPCCore
import Logging
import Synchronization
import Testing
import Wire

@testable import SessionClient

struct SessionClientTests {
  @Test func itAsksAnyPodAndConnectsToTheOwner() async throws {
    let asked = FakePod { _ in }
    let owner = FakePod { stream in
      try await stream.welcome("phone", epoch: 7, pod: "owner")
      _ = try await stream.frames.next()
    }
    try await withPods([asked, owner]) { endpoints in
      asked.locates([endpoints[1]])
      try await withClient([endpoints[0]]) { events in
        guard case .welcomed(let welcome) = await events.next() else { throw Unexpected() }
        #expect(welcome.pod == "owner" && welcome.session == "phone" && welcome.endpoint == endpoints[1])
      }
      #expect(asked.streams == 0 && owner.streams == 1)
    }
  }

  @Test func afterALossItComesBackWithItsSessionAndEpochToWhereThePodSaid() async throws {
    let hello = Mutex<Pushring_V1_Hello?>(nil)
    let next = FakePod { stream in
      hello.withLock { $0 = stream.hello }
      try await stream.welcome("made-up", epoch: 12)
      _ = try await stream.frames.next()
    }
    try await withPods([next]) { endpoints in
      let there = endpoints[0]
      let first = FakePod { stream in
        try await stream.welcome("made-up", epoch: 11)
        throw RPCError(
          code: .unavailable, message: "leaving",
          metadata: ["pushring-reason": "leaving", "pushring-endpoints": "\(there)"])
      }
      try await withPods([first]) { endpoints in
        try await withClient(endpoints, stays: true) { events in
          guard case .welcomed(let one) = await events.next(), case .reconnecting = await events.next(),
            case .welcomed(let two) = await events.next()
          else { throw Unexpected() }
          #expect(one.epoch == 11 && two.epoch == 12 && two.endpoint == there)
          #expect(hello.withLock { $0?.sessionID } == "made-up")
          #expect(hello.withLock { $0?.epoch } == 11)
        }
      }
    }
  }

  @Test func aMoveMakesBeforeItBreaksAndARepeatIsGivenOnce() async throws {
    let oldIsOpen = Mutex(true)
    let helloWhileOpen = Mutex<Pushring_V1_Hello?>(nil)
    let new = FakePod { stream in
      if oldIsOpen.withLock({ $0 }) { helloWhileOpen.withLock { $0 = stream.hello } }
      try await stream.welcome(epoch: 2, pod: "new")
      try await stream.message("both")
      try await stream.message("new only")
      _ = try await stream.frames.next()
    }
    try await withPods([new]) { endpoints in
      let there = endpoints[0]
      let old = FakePod { stream in
        try await stream.welcome(epoch: 1, pod: "old")
        try await stream.message("both")
        try await stream.reconnect(to: there, ticket: "t")
        // Until the client half-closes; then what only this pod had.
        while try await stream.frames.next() != nil {}
        oldIsOpen.withLock { $0 = false }
        try await stream.message("old only")
      }
      try await withPods([old]) { endpoints in
        try await withClient(endpoints, stays: true) { events in
          var messages: Set<String> = []
          var pods: [String] = []
          while messages.count < 3 {
            switch await events.next() {
            case .message(let message): #expect(messages.insert(message.id).inserted)
            case .welcomed(let welcome): pods.append(welcome.pod)
            case .moving(_, let endpoint): #expect(endpoint == there)
            default: throw Unexpected()
            }
          }
          #expect(messages == ["both", "new only", "old only"])
          #expect(pods == ["old", "new"])
          #expect(helloWhileOpen.withLock { $0?.ticket } == .init("t".utf8))
          #expect(helloWhileOpen.withLock { $0?.epoch } == 1)
        }
      }
    }
  }

  @Test func aTakeoverEndsTheSessionForGood() async throws {
    let pod = FakePod { stream in
      try await stream.welcome()
      throw RPCError(code: .aborted, message: "again", metadata: ["pushring-reason": "taken-over"])
    }
    try await withPods([pod]) { endpoints in
      try await withClient(endpoints, stays: true) { events in
        guard case .welcomed = await events.next() else { throw Unexpected() }
        #expect(await events.next() == .ended(.takenOver))
        #expect(await events.next() == nil)
      }
      #expect(pod.streams == 1)
    }
  }

  @Test func anAddressThatIsNoPodsSessionPortEndsTheSession() async throws {
    try await withoutServices { endpoint in
      try await withClient([endpoint]) { events in
        guard case .ended(.refused(let why)) = await events.next() else { throw Unexpected() }
        #expect(why.contains("UNIMPLEMENTED") && why.contains(endpoint) && why.contains("no pod's session address"))
      }
    }
  }

  @Test func aPodThatDoesNotWelcomeIsLeftForTheNext() async throws {
    let silent = FakePod { stream in _ = try await stream.frames.next() }
    let good = FakePod { stream in
      try await stream.welcome(pod: "good")
      _ = try await stream.frames.next()
    }
    try await withPods([silent, good]) { endpoints in
      try await withClient(endpoints, stays: true, connectTimeout: .milliseconds(500)) { events in
        // On a busy machine the good pod may be too late as well, and gets its turn again.
        var event = await events.next()
        while case .reconnecting = event { event = await events.next() }
        guard case .welcomed(let welcome) = event else { throw Unexpected() }
        #expect(welcome.pod == "good")
      }
    }
  }

  @Test func aPingIsAnsweredWithItsNonce() async throws {
    let answer = Mutex<UInt64?>(nil)
    let pod = FakePod { stream in
      try await stream.welcome()
      try await stream.ping(42)
      let pong = try await stream.frames.next()?.pong.nonce
      answer.withLock { $0 = pong }
      try await stream.message("after")
      _ = try await stream.frames.next()
    }
    try await withPods([pod]) { endpoints in
      try await withClient(endpoints, stays: true) { events in
        guard case .welcomed = await events.next(), case .message = await events.next() else { throw Unexpected() }
        #expect(answer.withLock { $0 } == 42)
      }
    }
  }

  @Test func moreEventsThanMayWaitEndTheSessionInsteadOfLosingOneInSilence() async throws {
    let pod = FakePod { stream in
      try await stream.welcome()
      for number in 0..<100 { try await stream.message("\(number)") }
      _ = try await stream.frames.next()
    }
    try await withPods([pod]) { endpoints in
      var configuration = SessionClientConfiguration(endpoints: endpoints, user: "u")
      configuration.staysAtEndpoints = true
      configuration.maximumQueuedEvents = 10
      let client = SessionClient(configuration: configuration, logger: quiet)
      // Nobody reads the events.
      #expect(await client.run() == .tooSlow)
    }
  }

  private func withClient(
    _ endpoints: [String], stays: Bool = false, connectTimeout: Duration = .seconds(10),
    _ body: (inout Events) async throws -> Void
  ) async throws {
    var configuration = SessionClientConfiguration(endpoints: endpoints, user: "u")
    configuration.staysAtEndpoints = stays
    configuration.connectTimeout = connectTimeout
    let client = SessionClient(configuration: configuration, logger: quiet)
    let running = Task { await client.run() }
    var events = Events(iterator: client.events.makeAsyncIterator())
    do {
      try await body(&events)
    } catch {
      running.cancel()
      throw error
    }
    running.cancel()
    _ = await running.value
  }

  private var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

struct Unexpected: Error {}

struct Events {
  var iterator: AsyncStream<SessionEvent>.AsyncIterator
  mutating func next() async -> SessionEvent? { await iterator.next() }
}
