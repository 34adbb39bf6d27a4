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

@Suite struct LeavingTests {
  @Test func aDrainSendsClientsElsewhereAndLeavesNothingBehind() async throws {
    try await withCluster(["a", "b"]) { cluster in
      let pod = cluster.pods[0]
      let ann = user(ownedBy: "a", in: try await cluster.settled())
      let (moving, _) = try await TestSession.open(pod, user: ann, session: "moving", moves: true)
      let (staying, _) = try await TestSession.open(pod, user: ann, session: "staying", moves: true)
      let other = try await cluster.pods[1].address()
      pod.manager.drain(deadline: .seconds(4))
      #expect(pod.manager.notReadyReason != nil)
      var tickets: [[UInt8]] = []
      for session in [moving, staying] {
        let reconnect = try await session.reconnect()
        #expect(reconnect.reason == .leaving)
        #expect(reconnect.endpoint.endpoint == other)
        #expect((1...4000).contains(reconnect.deadlineMillis))
        tickets.append(Array(reconnect.ticket))
      }
      // A client that moves keeps its session; it is taken over there.
      let (moved, _) = try await TestSession.open(
        cluster.pods[1], user: ann, session: "moving", moves: true, ticket: tickets[0])
      #expect(try await moving.call.status().trailers["pushring-reason"] == "taken-over")
      let late = try TestSession(try await pod.address())
      try late.hello(user: "late")
      #expect(try await late.call.status().trailers["pushring-reason"] == "leaving")
      let status = try await staying.call.status()
      #expect(status.code == .unavailable)
      #expect(status.trailers["pushring-reason"] == "leaving")
      #expect(status.trailers["pushring-endpoints"] == other)
      try await pod.ended()
      let members = try await cluster.registry.window()?.current.members.map(\.podID)
      #expect(members == ["b"])
      #expect(try await cluster.sessions(of: ann) == ["moving"])
      for session in [moving, staying, moved, late] { await session.close() }
    }
  }

  @Test func aPodWithoutSessionsLeavesAtOnce() async throws {
    try await withCluster { cluster in
      let start = ContinuousClock.now
      cluster.pods[0].manager.drain(deadline: .seconds(60))
      try await cluster.pods[0].ended()
      #expect(start.duration(to: .now) < .seconds(10))
    }
  }

  @Test func leavingIsBoundedAlsoWhenRedisIsDead() async throws {
    try await withCluster { cluster in
      let (session, _) = try await TestSession.open(cluster.pods[0], user: "ann")
      try await cluster.redis.kill()
      cluster.pods[0].manager.drain(deadline: .seconds(2))
      #expect(try await session.call.status().trailers["pushring-reason"] == "leaving")
      try await cluster.pods[0].ended(within: .seconds(6))
      await session.close()
    }
  }

  // MARK: Health

  private func health(_ address: String, _ service: String = "") async throws -> (
    Grpc_Health_V1_HealthCheckResponse.ServingStatus?, RPCError.Code?
  ) {
    var request = Grpc_Health_V1_HealthCheckRequest()
    request.service = service
    let (answer, status) = try await ask(
      address, "grpc.health.v1.Health/Check", request, as: Grpc_Health_V1_HealthCheckResponse.self)
    return (answer?.status, status.code)
  }

  @Test func healthIsServedOnBothPortsAndWatchedUntilTheEnd() async throws {
    try await withCluster { cluster in
      let pod = cluster.pods[0]
      for address in [try await pod.address(), try await pod.peerAddress()] {
        #expect(try await health(address).0 == .serving)
        #expect(try await health(address, "pushring.v1.Sessions").0 == .serving)
        #expect(try await health(address, "no.such.Service").1 == .notFound)
      }
      let client = try TestClient(try await pod.address())
      let watch = client.call("grpc.health.v1.Health/Watch")
      watch.send(try Grpc_Health_V1_HealthCheckRequest().serializedBytes())
      watch.finish()
      func next() async throws -> Grpc_Health_V1_HealthCheckResponse.ServingStatus? {
        try await watch.next().map { try Grpc_Health_V1_HealthCheckResponse(serializedBytes: $0).status }
      }
      #expect(try await next() == .serving)
      let (session, _) = try await TestSession.open(pod, user: "ann")
      pod.manager.drain(deadline: .seconds(2))
      #expect(try await next() == .notServing)
      #expect(try await watch.status().code == .unavailable)
      try await pod.ended()
      await client.close()
      await session.close()
    }
  }

  // MARK: Starting

  @Test func withoutRedisThePodListensIsNotReadyAndStillLeaves() async throws {
    let pod = try TestPod("a", redis: "redis://127.0.0.1:\(try freePort())", settings: quickSettings)
    let address = try await pod.address()
    #expect(pod.manager.notReadyReason?.contains("not joined") == true)
    #expect(try await health(address).0 == .notServing)
    let session = try TestSession(address)
    try session.hello(user: "ann")
    let status = try await session.call.status()
    #expect(status.code == .unavailable)
    #expect(status.trailers["pushring-reason"] == "not-ready")
    pod.manager.drain(deadline: .seconds(1))
    try await pod.ended(within: .seconds(8))
    await session.close()
    await pod.stop()
  }

  @Test func aPeerPortInUseAndAMalformedPodIDAreNamed() async throws {
    try await withCluster { cluster in
      let taken = try await cluster.pods[0].peerAddress()
      let port = Int(taken.split(separator: ":")[1]) ?? 0
      let second = try TestPod("b", redis: cluster.redis.url, settings: quickSettings) { configuration, _ in
        configuration.peerListenPort = port
      }
      let inUse = await #expect(throws: (any Error).self) { try await second.ended() }
      #expect("\(inUse.map { "\($0)" } ?? "")".contains(taken))
      let malformed = try TestPod("no such id", redis: cluster.redis.url, settings: quickSettings)
      let error = await #expect(throws: SessionManagerError.self) { try await malformed.ended() }
      #expect(error?.message.contains("no such id") == true)
      for pod in [second, malformed] { await pod.stop() }
    }
  }

  @Test func otherSettingsThanTheClustersAreRefused() async throws {
    try await withCluster { cluster in
      var other = quickSettings
      other.grace = .seconds(77)
      let pod = try TestPod("b", redis: cluster.redis.url, settings: other)
      await #expect(throws: SessionManagerError.self) { try await pod.ended() }
      await pod.stop()
    }
  }
}
