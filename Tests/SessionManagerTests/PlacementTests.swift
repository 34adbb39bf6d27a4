import GRPCCore
import HashRing
import Placement
import RedisDirectory
import TestCalls
import TestServers
import Testing
import Wire

/// The placement protocol between real pods.
@Suite struct PlacementTests {
  @Test func ofTwoProcessesWithOnePodIDTheSessionsOfTheEarlierAreStrays() async throws {
    try await withCluster(["twin", "twin"]) { cluster in
      let view = try #require(try await cluster.registry.window()).current
      let later = try #require(view.members.map(\.incarnation).max())
      let (one, first) = try await TestSession.open(cluster.pods[0], user: "ann", session: "one")
      let (two, second) = try await TestSession.open(cluster.pods[1], user: "ann", session: "two")
      #expect(Set([first.incarnation, second.incarnation]).count == 2)
      try await eventually("each process says where it stands") {
        let status = try await cluster.registry.memberStatus()
        return status.count == 2
          && status.allSatisfy {
            $0.load == MemberLoad(sessions: 1, strays: $0.member.incarnation == later ? 0 : 1)
          }
      }
      await one.close()
      await two.close()
    }
  }

  private func settled(_ cluster: TestCluster) async throws -> Window {
    try await waitUntil("the view settles") {
      guard let window = try await cluster.registry.window(), window.current.members.count == cluster.pods.count else {
        return nil
      }
      return window.settled.stamp == window.current.stamp ? window : nil
    }
  }

  private func user(ownedBy pod: String, _ window: Window) -> String {
    (0...).lazy.map { "user-\($0)" }.first { window.current.owner(ofUserHash: keyHash($0.utf8))?.podID == pod } ?? ""
  }

  @Test func anOwnerClaimsWhatItHoldsAloneAndNamesTheStraysOtherwise() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let window = try await settled(cluster)
      let ann = user(ownedBy: "a", window)
      let (home, _) = try await TestSession.open(cluster.pods[0], user: ann, session: "home")
      let sender = try await TestSender(cluster.pods[0])
      let alone = try await sender.deliver("1", to: ann)
      #expect(alone.complete)
      #expect(alone.sessions.map(\.sessionID) == ["home"])
      // From its welcome on, the owner knows of the stray.
      let (stray, welcome) = try await TestSession.open(cluster.pods[1], user: ann, session: "stray")
      let both = try await sender.deliver("2", to: ann)
      #expect(!both.complete)
      #expect(both.strayIncarnations == [welcome.incarnation])
      await stray.close()
      try await eventually("the stray is forgotten") { try await sender.deliver("3", to: ann).complete }
      await sender.close()
      await home.close()
    }
  }

  @Test func onlyTheOwnerClaims() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let ann = user(ownedBy: "a", try await settled(cluster))
      let sender = try await TestSender(cluster.pods[1])
      #expect(try await !sender.deliver("1", to: ann).complete)
      await sender.close()
    }
  }

  @Test func aViewSettlesInMillisecondsWhenAllAreWell() async throws {
    try await withCluster(["a", "b"]) { cluster in
      _ = try await settled(cluster)
      var sessions: [TestSession] = []
      for number in 0..<20 {
        sessions.append(try await TestSession.open(cluster.pods[number % 2], user: "user-\(number)").0)
      }
      let joined = try await cluster.registry.join(
        MemberDescription(podID: "c", endpoint: "127.0.0.1:1", peerEndpoint: "127.0.0.1:1"))
      // In vain if the pods have already found out what follows.
      _ = try await cluster.registry.acknowledge(joined.incarnation, view: joined.window.current.stamp)
      // Nobody listens there: found out by those who have strays to tell it, without waiting for its lease.
      let start = ContinuousClock.now
      try await eventually("the newcomer is proven gone, and the view settles") {
        guard let window = try await cluster.registry.window() else { return false }
        return window.current.member(joined.incarnation) == nil && window.settled.stamp == window.current.stamp
      }
      #expect(start.duration(to: .now) < quickSettings.lease / 2)
      for session in sessions { await session.close() }
    }
  }

  @Test func aReportForAnotherIncarnationIsNotRecorded() async throws {
    try await withCluster(["a"]) { cluster in
      let window = try await settled(cluster)
      let me = try #require(window.current.members.first).incarnation
      let peer = try await cluster.pods[0].peerAddress()
      func record(_ report: Pushring_V1_StrayReport) async throws -> (Pushring_V1_StrayReceipt?, TestStatus) {
        try await ask(peer, "pushring.v1.Placement/Record", report)
      }
      var report = Pushring_V1_StrayReport()
      // Of a pod that joined after this view was made.
      report.reporter = me.rawValue + 1_000_000
      report.owner = me.rawValue + 1
      report.series = 1
      report.firstNumber = 1
      report.userHashes = [keyHash("ann".utf8)]
      report.retractions = [false]
      #expect(try await record(report).0?.owner == me.rawValue)
      let sender = try await TestSender(cluster.pods[0])
      #expect(try await sender.deliver("1", to: "ann").complete)
      report.owner = me.rawValue
      #expect(try await record(report).0?.recordedThrough == 1)
      #expect(try await sender.deliver("2", to: "ann").strayIncarnations == [report.reporter])
      report.retractions = []
      #expect(try await record(report).1.code == .invalidArgument)
      await sender.close()
    }
  }
}
