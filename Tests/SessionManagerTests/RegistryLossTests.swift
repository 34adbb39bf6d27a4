import GRPCCore
import Placement
import RedisDirectory
import SessionManager
import Sessions
import SwiftProtobuf
import TestCalls
import TestServers
import Testing
import Wire

@Suite struct RegistryLossTests {
  @Test func whenRedisComesBackEmptyNobodyIsDisconnectedAndRecordsAreCompleteAgain() async throws {
    try await withCluster(["a", "b"]) { cluster in
      var sessions: [TestSession] = []
      for number in 0..<20 {
        sessions.append(
          try await TestSession.open(cluster.pods[number % 2], user: "ann", session: "s\(number)").0)
      }
      let before = Set(try await cluster.records(of: "ann"))
      try await cluster.redis.restart(empty: true)
      try await eventually("all records are back", within: .seconds(20)) {
        (try? await cluster.records(of: "ann")).map(Set.init) == before
      }
      for (number, pod) in cluster.pods.enumerated() {
        try await pod.ready()
        let sender = try await TestSender(pod)
        let result = try await sender.deliver("m", to: "ann")
        #expect(result.sessions.count { $0.outcome == .delivered } == 10, "pod \(number)")
        await sender.close()
      }
      for session in sessions {
        #expect(try await session.message().id == "m")
        await session.close()
      }
      try await eventually("records end with their sessions") { try await cluster.records(of: "ann").isEmpty }
    }
  }

  @Test func whileRedisIsAwayForAllSessionsStayAndNewOnesAreRegisteredWhenItIsBack() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let (session, _) = try await TestSession.open(cluster.pods[0], user: "ann")
      try await cluster.redis.kill()
      // At first nobody knows that it is away for all: the client is told where else to go.
      let other = try await cluster.pods[1].address()
      let refused = try TestSession(try await cluster.pods[0].address())
      try refused.hello(user: "bob")
      // Unless the pods find out sooner, while the registration is still tried.
      if (try? await refused.welcome()) == nil {
        let status = try await refused.call.status()
        #expect(status.code == .unavailable)
        #expect(status.trailers["pushring-reason"] == "registry-unavailable")
        #expect(status.trailers["pushring-endpoints"] == other)
      }
      await refused.close()
      var admitted: TestSession?
      try await eventually("sessions are admitted, as no pod reaches Redis", within: .seconds(20)) {
        let attempt = try TestSession(try await cluster.pods[0].address())
        try attempt.hello(user: "bob", session: "phone")
        if (try? await attempt.welcome()) != nil {
          admitted = attempt
          return true
        }
        await attempt.close()
        return false
      }
      let sender = try await TestSender(cluster.pods[0])
      let result = try await sender.deliver("m", to: "ann")
      #expect(result.sessions.map(\.outcome) == [.delivered])
      #expect(try await session.message().id == "m")
      try await cluster.redis.restart(empty: true)
      try await eventually("the session is registered", within: .seconds(20)) {
        (try? await cluster.sessions(of: "bob")) == ["phone"]
      }
      await sender.close()
      await session.close()
      await admitted?.close()
    }
  }

  @Test func aPodThatWasWrittenOffEndsItsStreamsAndJoinsAnew() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let (session, welcome) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      try await cluster.registry.leave(Incarnation(rawValue: welcome.incarnation))
      let status = try await session.call.status()
      #expect(status.code == .unavailable)
      #expect(status.trailers["pushring-reason"] == "membership-lost")
      await session.close()
      try await cluster.pods[0].ready()
      let (again, second) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      #expect(second.incarnation > welcome.incarnation)
      await again.close()
    }
  }

  @Test func recordsOfADeadPodAreSwept() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let (session, welcome) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      // As if the process had left without taking its records.
      let stray = try await cluster.registry.register(
        .init(user: try .init("bob"), session: try .init("tablet")), podID: "a",
        incarnation: Incarnation(rawValue: welcome.incarnation), lastEpoch: .none)
      #expect(try await cluster.records(of: "bob") == [stray.record])
      try await cluster.registry.leave(Incarnation(rawValue: welcome.incarnation))
      try await eventually("the record is swept") { try await cluster.records(of: "bob").isEmpty }
      await session.close()
    }
  }
}
