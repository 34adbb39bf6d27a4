import GRPCCore
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

@Suite struct TakeoverTests {
  @Test func theSameSessionOnAnotherPodEndsTheOldStream() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let (old, first) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      let (new, second) = try await TestSession.open(
        cluster.pods[1], user: "ann", session: "phone", epoch: first.epoch)
      #expect(second.epoch > first.epoch)
      let status = try await old.call.status()
      #expect(status.code == .aborted)
      #expect(status.trailers["pushring-reason"] == "taken-over")
      #expect(try await cluster.records(of: "ann").map(\.podID) == ["b"])
      let sender = try await TestSender(cluster.pods[1])
      #expect(try await sender.deliver("m", to: "ann").sessions.map(\.outcome) == [.delivered])
      #expect(try await new.message().id == "m")
      let late = try await TestSender(cluster.pods[0])
      #expect(try await late.deliver("m", to: "ann").sessions.isEmpty)
      for session in [old, new] { await session.close() }
      for sender in [sender, late] { await sender.close() }
    }
  }

  @Test func theSameSessionOnTheSamePodEndsTheOldStream() async throws {
    try await withCluster { cluster in
      let (old, _) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      let (new, welcome) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      #expect(try await old.call.status().trailers["pushring-reason"] == "taken-over")
      let sender = try await TestSender(cluster.pods[0])
      #expect(try await sender.deliver("m", to: "ann").sessions.map(\.epoch) == [welcome.epoch])
      #expect(try await new.message().id == "m")
      #expect(try await cluster.records(of: "ann").map(\.epoch.rawValue) == [welcome.epoch])
      for session in [old, new] { await session.close() }
      await sender.close()
    }
  }

  @Test func locateNamesTheRingsOrder() async throws {
    try await withCluster(["a", "b", "c"]) { cluster in
      let window = try #require(try await cluster.registry.window())
      try await eventually("every pod knows the view") {
        for pod in cluster.pods {
          var request = Pushring_V1_LocateRequest()
          request.userID = "x"
          let (answer, _) = try await ask(
            pod.address(), "pushring.v1.Sessions/Locate", request, as: Pushring_V1_LocateResponse.self)
          guard answer?.view.version == window.current.stamp.version else { return false }
        }
        return true
      }
      for user in ["ann", "bob", "carol", "dave"] {
        var request = Pushring_V1_LocateRequest()
        request.userID = user
        let (answer, status) = try await ask(
          cluster.pods[0].address(), "pushring.v1.Sessions/Locate", request, as: Pushring_V1_LocateResponse.self)
        #expect(status.isOK)
        let expected = window.current.successors(ofUserHash: keyHash(user.utf8), count: 3)
        #expect(answer?.pods.map(\.podID) == expected.map(\.podID))
        #expect(answer?.pods.map(\.endpoint) == expected.map(\.description.endpoint))
        let (session, welcome) = try await TestSession.open(cluster.pods[0], user: user)
        #expect(welcome.successors.map(\.podID) == expected.map(\.podID).filter { $0 != "a" })
        await session.close()
      }
      let (_, status) = try await ask(
        cluster.pods[0].address(), "pushring.v1.Sessions/Locate", Pushring_V1_LocateRequest(),
        as: Pushring_V1_LocateResponse.self)
      #expect(status.code == .invalidArgument)
    }
  }
}
