import HashRing
import Placement
import RedisDirectory
import SessionManager
import Sessions
import SwiftProtobuf
import TestCalls
import TestServers
import Testing
import Wire

/// What operators' commands ask pods.
@Suite struct OperationsTests {
  private func asked<Answer: SwiftProtobuf.Message>(
    _ pod: TestPod, _ method: String, _ request: some SwiftProtobuf.Message, as: Answer.Type = Answer.self
  ) async throws -> Answer {
    let (answer, status) = try await ask(
      pod.peerAddress(), "pushring.v1.Operations/\(method)", request, as: Answer.self)
    return try #require(answer, "\(status)")
  }

  @Test func sessionsAreCountedByOwner() async throws {
    try await withCluster(["a", "b"]) { configuration, _ in
      configuration.homingRate = 0
    } _: { cluster in
      let view = try await cluster.settled()
      let (ann, bob) = (user(ownedBy: "a", in: view), user(ownedBy: "b", in: view))
      let (one, _) = try await TestSession.open(cluster.pods[0], user: ann, session: "1", moves: true)
      let (two, _) = try await TestSession.open(cluster.pods[0], user: bob, session: "2", moves: true)
      let (three, _) = try await TestSession.open(cluster.pods[0], user: bob, session: "3", moves: false)
      var request = Pushring_V1_CountSessionsRequest()
      let counts: Pushring_V1_CountSessionsResult = try await asked(cluster.pods[0], "CountSessions", request)
      #expect(counts.owners.map(\.podID) == ["a", "b"])
      #expect(counts.owners.map(\.sessions) == [1, 2])
      #expect(counts.owners.map(\.movable) == [1, 1])
      // They came after both pods.
      #expect(counts.owners.map(\.olderThanOwner) == [0, 0])
      // Of another ring: what if.
      var member = Pushring_V1_RingMemberWeight()
      member.podID = "z"
      member.weight = 1
      request.members = [member]
      request.tokensPerWeight = 16
      let what: Pushring_V1_CountSessionsResult = try await asked(cluster.pods[0], "CountSessions", request)
      #expect(what.owners.map(\.podID) == ["z"] && what.owners.map(\.sessions) == [3])
      request = Pushring_V1_CountSessionsRequest()
      request.userID = bob
      let bobs: Pushring_V1_CountSessionsResult = try await asked(cluster.pods[0], "CountSessions", request)
      #expect(bobs.owners.map(\.sessions) == [2])
      for session in [one, two, three] { await session.close() }
    }
  }

  @Test func aUsersSessionsAreToldWithWhatTheOwnerKnows() async throws {
    try await withCluster(["a", "b"]) { configuration, _ in
      configuration.homingRate = 0
    } _: { cluster in
      let ann = user(ownedBy: "a", in: try await cluster.settled())
      let (home, welcome) = try await TestSession.open(cluster.pods[0], user: ann, session: "home", moves: true)
      var request = Pushring_V1_UserSessionsRequest()
      request.userID = ann
      let alone: Pushring_V1_UserSessionsResult = try await asked(cluster.pods[0], "UserSessions", request)
      #expect(alone.complete && alone.hasLease_p && alone.strayIncarnations.isEmpty)
      #expect(alone.sessions.map(\.sessionID) == ["home"] && alone.sessions.map(\.epoch) == [welcome.epoch])
      #expect(alone.sessions.map(\.moves) == [true])
      let (away, second) = try await TestSession.open(cluster.pods[1], user: ann, session: "away")
      let both: Pushring_V1_UserSessionsResult = try await asked(cluster.pods[0], "UserSessions", request)
      #expect(!both.complete && both.strayIncarnations == [second.incarnation])
      let strays: Pushring_V1_StrayPage = try await asked(
        cluster.pods[0], "ListStrays", Pushring_V1_ListStraysRequest())
      #expect(strays.userHashes == [keyHash(ann.utf8)] && strays.reporters == [second.incarnation])
      let page: Pushring_V1_SessionPage = try await asked(
        cluster.pods[1], "ListSessions", Pushring_V1_ListSessionsRequest())
      // The first page has those that wait for their Welcome.
      #expect(page.sessions.isEmpty && page.incarnation == second.incarnation)
      for session in [home, away] { await session.close() }
    }
  }

  @Test func aRecordThatIsMissingIsWrittenAgain() async throws {
    try await withCluster { cluster in
      let (session, welcome) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      let record = try #require(try await cluster.records(of: "ann").first)
      #expect(try await cluster.registry.unregister(record))
      var request = Pushring_V1_RepairRequest()
      for id in ["phone", "no-such"] {
        var held = Pushring_V1_HeldSession()
        held.userID = "ann"
        held.sessionID = id
        request.register.append(held)
      }
      let result: Pushring_V1_RepairResult = try await asked(cluster.pods[0], "Repair", request)
      #expect(result.registered == 1 && result.gone == 1 && result.incarnation == welcome.incarnation)
      try await eventually("it is there again") { try await cluster.records(of: "ann") == [record] }
      await session.close()
    }
  }

  @Test func aWrongStrayIsTakenBackAndAForgottenOneToldAgain() async throws {
    try await withCluster(["a", "b"]) { configuration, _ in
      configuration.homingRate = 0
    } _: { cluster in
      let view = try await cluster.settled()
      let ann = user(ownedBy: "a", in: view)
      let (stray, welcome) = try await TestSession.open(cluster.pods[1], user: ann, session: "away")
      var request = Pushring_V1_RepairRequest()
      var wrong = Pushring_V1_WrongStrays()
      wrong.owner = try #require(view.members.first { $0.podID == "a" }).incarnation.rawValue
      wrong.userHashes = [keyHash(ann.utf8)]
      request.wrongStrays = [wrong]
      request.reportsStraysAnew = true
      _ = try await asked(cluster.pods[1], "Repair", request, as: Pushring_V1_RepairResult.self)
      // It was right.
      var what = Pushring_V1_UserSessionsRequest()
      what.userID = ann
      let known: Pushring_V1_UserSessionsResult = try await asked(cluster.pods[0], "UserSessions", what)
      #expect(known.strayIncarnations == [welcome.incarnation])
      await stray.close()
      try await eventually("the owner forgets it") {
        let known: Pushring_V1_UserSessionsResult = try await asked(cluster.pods[0], "UserSessions", what)
        return known.complete
      }
    }
  }
}
