import HashRing
import Placement
import RedisDirectory
import SessionManager
import Sessions
import TestCalls
import TestServers
import Testing
import Wire

extension TestCluster {
  /// Settled, with all pods in it.
  func settled() async throws -> View {
    try await waitUntil("the view settles") {
      guard let window = try await registry.window(), window.current.members.count == pods.count,
        window.settled.stamp == window.current.stamp
      else { return nil }
      return window.current
    }
  }
}

/// A user of that pod.
func user(ownedBy pod: String, in view: View) -> String {
  (0...).lazy.map { "user-\($0)" }.first { view.owner(ofUserHash: keyHash($0.utf8))?.podID == pod } ?? ""
}

/// Sessions that go where they belong, with clients that the tests play.
@Suite struct MoveTests {
  @Test func aStrayIsSentHomeAndItsOldStreamLivesUntilTheNewOneIsWelcomed() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let ann = user(ownedBy: "b", in: try await cluster.settled())
      let (old, first) = try await TestSession.open(cluster.pods[0], user: ann, session: "phone", moves: true)
      let reconnect = try await old.reconnect()
      #expect(reconnect.reason == .rebalance)
      #expect(reconnect.endpoint.podID == "b")
      #expect(reconnect.endpoint.endpoint == (try await cluster.pods[1].address()))
      #expect(reconnect.deadlineMillis == 10_000 && !reconnect.ticket.isEmpty)
      // Nothing has happened yet.
      let sender = try await TestSender(cluster.pods[0])
      #expect(try await sender.deliver("before", to: ann).sessions.map(\.epoch) == [first.epoch])
      #expect(try await old.message().id == "before")
      let (new, second) = try await TestSession.open(
        cluster.pods[1], user: ann, session: "phone", epoch: first.epoch, moves: true, ticket: Array(reconnect.ticket))
      #expect(second.epoch > first.epoch && second.podID == "b")
      #expect(try await old.call.status().trailers["pushring-reason"] == "taken-over")
      #expect(try await cluster.records(of: ann).map(\.epoch.rawValue) == [second.epoch])
      let home = try await TestSender(cluster.pods[1])
      try await eventually("the owner vouches for the session") {
        let result = try await home.deliver("after", to: ann)
        return result.complete && result.sessions.map(\.epoch) == [second.epoch]
      }
      for session in [old, new] { await session.close() }
      for sender in [sender, home] { await sender.close() }
    }
  }

  @Test func aClientThatCannotMoveIsNotAskedTo() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let ann = user(ownedBy: "b", in: try await cluster.settled())
      let (fixed, _) = try await TestSession.open(cluster.pods[0], user: ann, session: "fixed", moves: false)
      let (movable, _) = try await TestSession.open(cluster.pods[0], user: ann, session: "movable", moves: true)
      _ = try await movable.reconnect()
      let sender = try await TestSender(cluster.pods[0])
      _ = try await sender.deliver("m", to: ann)
      #expect(try await fixed.message().id == "m")
      for session in [fixed, movable] { await session.close() }
      await sender.close()
    }
  }

  @Test func nobodyIsSentToAPodThatIsFull() async throws {
    try await withCluster(["a", "b"]) { configuration, _ in
      if configuration.podID == "b" { configuration.maximumSessions = 2 }
    } _: { cluster in
      let view = try await cluster.settled()
      let ann = user(ownedBy: "b", in: view)
      let (home, _) = try await TestSession.open(cluster.pods[1], user: ann, session: "home")
      let peer = try await cluster.pods[1].peerAddress()
      let target = try #require(view.members.first { $0.podID == "b" }).incarnation
      func offer(_ count: UInt32, to target: Incarnation) async throws -> Pushring_V1_MoveGrant {
        var offer = Pushring_V1_MoveOffer()
        offer.target = target.rawValue
        offer.count = count
        offer.deadlineMillis = 5_000
        let (grant, _) = try await ask(peer, "pushring.v1.Moves/Offer", offer, as: Pushring_V1_MoveGrant.self)
        return try #require(grant)
      }
      #expect(try await offer(5, to: Incarnation(rawValue: target.rawValue + 1)).granted == 0)
      #expect(try await offer(5, to: target).granted == 1)
      // That place is taken already.
      let refused = try await offer(5, to: target)
      #expect(refused.granted == 0 && refused.retryAfterMillis >= 1_000)
      await home.close()
    }
  }

  // MARK: Between registration and Welcome

  /// ann has a session on a, and is on her way to b, which waits for an owner that says nothing.
  private struct Waiting {
    let cluster: TestCluster
    let user: String
    let old: TestSession
    let first: Pushring_V1_Welcome
    let new: TestSession
    let silent: Membership
    let listener: SilentListener

    func close() async {
      await old.close()
      await new.close()
    }
  }

  private func withWaitingMove(outboundLimit: Int = 1024 * 1024, _ body: (Waiting) async throws -> Void) async throws {
    try await withCluster(["a", "b"]) { configuration, _ in
      configuration.outboundLimitBytes = outboundLimit
    } _: { cluster in
      let view = try await cluster.settled()
      let listener = try SilentListener()
      let third = MemberDescription(podID: "c", endpoint: listener.address, peerEndpoint: listener.address)
      // Whom c will own.
      let later = try View(
        stamp: .none,
        members: view.members + [
          Member(incarnation: Incarnation(rawValue: .max), description: third, state: .active, since: 1)
        ], tokensPerWeight: view.ring.tokensPerWeight)
      let ann = user(ownedBy: "c", in: later)
      let (old, first) = try await TestSession.open(cluster.pods[0], user: ann, session: "phone", moves: true)
      let silent = try await cluster.registry.join(third)
      let new = try TestSession(try await cluster.pods[1].address())
      let ticket: [UInt8] =
        [1]
        + [first.incarnation, 0, 1].flatMap { (number: UInt64) -> [UInt8] in
          (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        }
      // b has to know of c before it judges.
      try await eventually("b follows the view with c") {
        var request = Pushring_V1_LocateRequest()
        request.userID = ann
        let (answer, _) = try await ask(
          cluster.pods[1].address(), "pushring.v1.Sessions/Locate", request, as: Pushring_V1_LocateResponse.self)
        return answer?.pods.first?.podID == "c"
      }
      try new.hello(user: ann, session: "phone", epoch: first.epoch, moves: true, ticket: ticket)
      try await eventually("b has registered it") { try await cluster.records(of: ann).map(\.podID) == ["b"] }
      try await body(
        Waiting(
          cluster: cluster, user: ann, old: old, first: first, new: new, silent: silent, listener: listener))
    }
  }

  @Test func aMessageThatComesBeforeTheWelcomeFollowsIt() async throws {
    try await withWaitingMove { move in
      let sender = try await TestSender(move.cluster.pods[1])
      async let held = sender.deliver("held", to: move.user, sessions: [("phone", move.first.epoch + 1)])
      // The old stream lives, and is delivered to.
      let other = try await TestSender(move.cluster.pods[0])
      #expect(try await other.deliver("there", to: move.user).sessions.map(\.outcome) == [.delivered])
      #expect(try await move.old.message().id == "there")
      try await move.cluster.registry.leave(move.silent.incarnation)
      let welcome = try await move.new.welcome()
      #expect(try await move.new.message().id == "held")
      let result = try await held
      #expect(result.sessions.map(\.outcome) == [.delivered] && result.sessions.map(\.epoch) == [welcome.epoch])
      #expect(try await move.old.call.status().trailers["pushring-reason"] == "taken-over")
      await move.close()
      for sender in [sender, other] { await sender.close() }
    }
  }

  @Test func ofMoreMessagesBeforeTheWelcomeThanFitBothSidesAreTold() async throws {
    try await withWaitingMove(outboundLimit: 10_000) { move in
      let sender = try await TestSender(move.cluster.pods[1])
      var batch = Pushring_V1_DeliverBatch()
      batch.messages = (1...5).map { sender.message("\($0)", [UInt8](repeating: 7, count: 3_000)) }
      batch.requests = (0..<5).map {
        sender.request(
          to: move.user, sessions: [("phone", move.first.epoch + 1)], message: $0, correlation: UInt64($0 + 1))
      }
      let refused = try await sender.answer(to: batch).results
      #expect(refused.map(\.correlation) == [4, 5])
      for session in refused.flatMap(\.sessions) {
        #expect(session.outcome == .slow && session.slowPolicy == .dropNewest)
        #expect(session.detail.contains("--slow-policy drop-newest"))
      }
      try await move.cluster.registry.leave(move.silent.incarnation)
      _ = try await move.new.welcome()
      for number in 1...3 { #expect(try await move.new.message().id == "\(number)") }
      #expect(try await move.new.next().dropped.messages == 2)
      await move.close()
      await sender.close()
    }
  }

  @Test func aMoveThatIsGivenUpLeavesTheSessionWhereItWas() async throws {
    try await withWaitingMove { move in
      let sender = try await TestSender(move.cluster.pods[1])
      async let held = sender.deliver("held", to: move.user, sessions: [("phone", move.first.epoch + 1)])
      await move.new.close()
      #expect(try await held.sessions.map(\.outcome) == [.gone])
      try await eventually("the record is put back") {
        try await move.cluster.records(of: move.user).map(\.epoch.rawValue) == [move.first.epoch]
      }
      let other = try await TestSender(move.cluster.pods[0])
      let result = try await other.deliver("m", to: move.user, sessions: [("phone", move.first.epoch)])
      #expect(result.sessions.map(\.outcome) == [.delivered])
      #expect(try await move.old.message().id == "m")
      await move.close()
      for sender in [sender, other] { await sender.close() }
    }
  }

  @Test func aSessionThatEndsInTheMiddleLeavesNoRecord() async throws {
    try await withWaitingMove { move in
      await move.old.close()
      await move.new.close()
      try await eventually("no record is left") { try await move.cluster.records(of: move.user).isEmpty }
    }
  }

  @Test func aTargetThatLeavesGivesBackWhatItHadNotWelcomed() async throws {
    try await withWaitingMove { move in
      move.cluster.pods[1].manager.drain(deadline: .zero)
      try await move.cluster.pods[1].ended()
      #expect(try await move.cluster.records(of: move.user).map(\.epoch.rawValue) == [move.first.epoch])
      await move.close()
    }
  }

  // MARK: Afterwards

  @Test func theRecordOfASessionWhoseTargetDiedIsPutBack() async throws {
    try await withCluster(["a", "b"]) { configuration, _ in
      configuration.moveDeadline = .milliseconds(300)
    } _: { cluster in
      let ann = user(ownedBy: "b", in: try await cluster.settled())
      let (old, first) = try await TestSession.open(cluster.pods[0], user: ann, session: "phone", moves: true)
      _ = try await old.reconnect()
      // A pod takes the session over, for a move, and is gone.
      let dead = try await cluster.registry.join(
        MemberDescription(podID: "c", endpoint: "127.0.0.1:1", peerEndpoint: "127.0.0.1:1"))
      let key = SessionKey(user: try UserID(ann), session: try SessionID("phone"))
      let taken = try await cluster.registry.register(
        key, podID: "c", incarnation: dead.incarnation, lastEpoch: Epoch(rawValue: first.epoch), reportsTakeover: false)
      try await cluster.registry.leave(dead.incarnation)
      #expect(try await cluster.registry.vouchedRecords(of: key.user).records == [taken.replaced, taken.record])
      try await eventually("the record is put back") {
        try await cluster.records(of: ann).map(\.epoch.rawValue) == [first.epoch]
      }
      let sender = try await TestSender(cluster.pods[0])
      #expect(try await sender.deliver("m", to: ann).sessions.map(\.outcome) == [.delivered])
      await old.close()
      await sender.close()
      try await eventually("the record goes with the stream") { try await cluster.records(of: ann).isEmpty }
    }
  }

  // MARK: Orders

  @Test func aPodThatIsEmptiedSendsItsSessionsAway() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let ann = user(ownedBy: "a", in: try await cluster.settled())
      let (session, _) = try await TestSession.open(cluster.pods[0], user: ann, session: "phone", moves: true)
      _ = try await cluster.registry.order(pod: "a", state: .drained)
      let reconnect = try await session.reconnect()
      #expect(reconnect.reason == .leaving && reconnect.endpoint.podID == "b")
      await session.close()
    }
  }

  @Test func aCordonedPodKeepsItsSessionsAndARebalanceTakesThem() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let ann = user(ownedBy: "a", in: try await cluster.settled())
      let (session, welcome) = try await TestSession.open(cluster.pods[0], user: ann, session: "phone", moves: false)
      _ = try await cluster.registry.order(pod: "a", state: .cordoned)
      let view = try await waitUntil("the view without a settles") {
        guard let window = try await cluster.registry.window(), window.settled.stamp == window.current.stamp,
          window.current.owner(ofUserHash: keyHash(ann.utf8))?.podID == "b"
        else { return nil as View? }
        return window.current
      }
      let start = try await cluster.registry.startRebalance(
        id: "test", view: view.stamp,
        parameters: """
          {"rate":100,"concurrency":10,"moveDeadlineMilliseconds":1000,"force":true}
          """, limit: .seconds(30), sources: [(Incarnation(rawValue: welcome.incarnation), 1)])
      guard case .started = start else {
        Issue.record("it did not start: \(start)")
        return
      }
      // It can't move, and somebody insists.
      let status = try await session.call.status()
      #expect(status.trailers["pushring-reason"] == "rebalanced")
      #expect(status.trailers["pushring-endpoints"] == (try await cluster.pods[1].address()))
      let job = try await waitUntil("the rebalance is over") {
        try await cluster.registry.rebalance().flatMap { $0.state.isOver ? $0 : nil }
      }
      #expect(job.state == .done && job.sources.map(\.moved) == [1] && job.sources.map(\.left) == [0])
      await session.close()
    }
  }
}
