import Placement
import RedisDirectory
import Sender
import Synchronization
import TestServers
import Testing
import Wire

/// What pushes cost and where they arrive, on a real registry and by real gRPC.
@Suite struct DeliveryTests {
  @Test func threeSessionsOnTwoPodsCostTwoCallsGroupedAndThreeUngrouped() async throws {
    try await withCluster { cluster in
      let user = try cluster.user(ownedBy: 0)
      try await cluster.open("desk", of: user, on: 0)
      try await cluster.open("phone", of: user, on: 1)
      try await cluster.open("tv", of: user, on: 1)
      let grouped = try await cluster.sender.push(Push(user: user, text: "hello"))
      #expect(grouped.outcomes == ["desk pod-0 delivered", "phone pod-1 delivered", "tv pod-1 delivered"])
      #expect(grouped.deliverRPCs == 2 && grouped.registryReads == 1)
      #expect(grouped.route == .directory && grouped.completeness == .complete)
      var push = Push(user: user, text: "hello")
      push.strategy = .directory
      push.groupsByPod = false
      #expect(try await cluster.sender.push(push).deliverRPCs == 3)
      #expect(cluster.pods.map { $0.look { $0.requests.count } } == [2, 3])
    }
  }

  @Test func anOwnerThatVouchesSparesTheRegistry() async throws {
    try await withCluster { cluster in
      let user = try cluster.user(ownedBy: 0)
      try await cluster.open("desk", of: user, on: 0)
      cluster.pods[0].change { $0.claimsComplete = true }
      let result = try await cluster.sender.push(Push(user: user, text: "hello"))
      #expect(result.route == .ring && result.completeness == .complete)
      #expect(result.deliverRPCs == 1 && result.registryReads == 0)
    }
  }

  @Test func aClaimThatIsComparedWithTheRegistryIsCounted() async throws {
    let observer = AuditObserver()
    try await withCluster({ $0.auditInterval = 1 }, observer: observer) { cluster in
      let user = try cluster.user(ownedBy: 0)
      try await cluster.open("desk", of: user, on: 0)
      cluster.pods[0].change { $0.claimsComplete = true }
      let result = try await cluster.sender.push(Push(user: user, text: "hello"))
      #expect(result.route == .ring && result.registryReads == 1)
      #expect(observer.missed == [0])
    }
  }

  @Test func aRegistryThatLostItsDataIsNotTakenAtItsWord() async throws {
    try await withCluster { cluster in
      let user = try cluster.user(ownedBy: 0)
      // Open, and known to the registry until a moment ago.
      try await cluster.open("phone", of: user, on: 1)
      try await cluster.redis.cli("FLUSHALL")
      let result = try await cluster.sender.push(Push(user: user, text: "hello"))
      #expect(result.outcomes == ["phone pod-1 delivered"])
      #expect(result.route == .scatter && result.completeness == .unknown)
      #expect(result.reason.contains("lost data"))
    }
  }

  @Test func theMessageTravelsWhole() async throws {
    try await withCluster(pods: 1) { cluster in
      try await cluster.open("desk", of: "ann", on: 0)
      var push = Push(user: "ann", payload: [0, 255, 10])
      push.headers = ["trace": "7"]
      push.messageID = "m-1"
      #expect(try await cluster.sender.push(push).messageID == "m-1")
      let batch = try #require(cluster.pods[0].look { $0.batches.first })
      #expect(batch.messages.map(\.id) == ["m-1"])
      #expect(batch.messages.map { Array($0.payload) } == [[0, 255, 10]])
      #expect(batch.messages.map(\.headers) == [["trace": "7"]])
      #expect(batch.messages.allSatisfy { $0.sentAtUnixMicros > 1_700_000_000_000_000 })
      #expect(batch.window.current.version >= 1)
    }
  }

  @Test func messageIDsThatTheSenderMakesAreUnique() async throws {
    try await withCluster(pods: 1) { cluster in
      let first = try await cluster.sender.push(Push(user: "ann", text: "x")).messageID
      let second = try await cluster.sender.push(Push(user: "ann", text: "x")).messageID
      #expect(first != second && !first.isEmpty)
    }
  }

  @Test func aSessionThatMovedDuringThePushIsFollowed() async throws {
    try await withCluster { cluster in
      try await cluster.register("desk", of: "ann", on: 0)
      // Pod 0 says gone; by then the session has come up on pod 1.
      cluster.pods[0].change {
        $0.onRequest = { _ in _ = try? await cluster.open("desk", of: "ann", on: 1) }
      }
      var push = Push(user: "ann", text: "hello")
      push.strategy = .directory
      let result = try await cluster.sender.push(push)
      #expect(result.outcomes == ["desk pod-1 delivered"])
      #expect(result.registryReads == 2 && result.deliverRPCs == 2)
    }
  }

  @Test func manyPushesInFlightShareFrames() async throws {
    try await withCluster(pods: 1) { cluster in
      let users = (0..<1000).map { "user-\($0)" }
      let results = await cluster.sender.pushMany(Push(user: "", text: "to all"), to: users, concurrency: 500)
      #expect(results.count == 1000)
      #expect(results.enumerated().allSatisfy { index, result in (try? result.get().user) == users[index] })
      let (batches, requests, messages) = cluster.pods[0].look { state in
        (state.batches.count, state.requests.count, state.batches.map(\.messages.count).max() ?? 0)
      }
      #expect(requests == 1000)
      #expect(batches < 500, "\(batches) frames for 1000 calls")
      // One message to many users is in a frame once.
      #expect(messages == 1)
    }
  }

  @Test func aPodThatRefusesACallIsTheOutcomeOfItsSessions() async throws {
    try await withCluster(pods: 1) { cluster in
      try await cluster.open("desk", of: "ann", on: 0)
      cluster.pods[0].change { $0.error = "not today" }
      let result = try await cluster.sender.push(Push(user: "ann", text: "hello"))
      #expect(result.sessions.map(\.outcome) == [.refused])
      #expect(result.sessions.allSatisfy { $0.detail.contains("not today") })
    }
  }

  @Test func aPodThatJoinsIsCalledAndOneThatLeavesIsLetGo() async throws {
    try await withCluster(pods: 2) { cluster in
      let newcomer = FakePod(podID: "pod-9")
      let membership = try await join(newcomer, cluster.directory)
      try await eventually("the link is open") { newcomer.look { $0.openStreams } == 1 }
      try await cluster.directory.leave(membership.incarnation)
      try await eventually("the link is closed") { newcomer.look { $0.openStreams } == 0 }
      try await eventually("the others stay") { cluster.pods.allSatisfy { $0.look { $0.openStreams } == 1 } }
      await newcomer.kill()
    }
  }
}

private final class AuditObserver: SenderObserver {
  private let seen = Mutex<[Int]>([])
  var missed: [Int] { seen.withLock { $0 } }
  func audited(missedSessions: Int) { seen.withLock { $0.append(missedSessions) } }
  func pushEnded(_ result: PushResult) {}
  func pushRefused(_ code: PushError.Code) {}
  func pushesInFlight(_ count: Int) {}
  func batchSent(calls: Int) {}
  func linksUp(_ up: Int, of all: Int) {}
}
