import Sender
import TestServers
import Testing

/// Pods and a registry that die, freeze, or have enough. The pushes' own time-out is 20 s: what these tests see sooner
/// does not come from it.
@Suite struct FaultTests {
  func directoryPush(to user: String) -> Push {
    var push = Push(user: user, text: "hello")
    push.strategy = .directory
    return push
  }

  @Test func aDeadPodFailsFast() async throws {
    try await withCluster { cluster in
      let user = try cluster.user(ownedBy: 0)
      try await cluster.open("desk", of: user, on: 0)
      try await cluster.open("phone", of: user, on: 1)
      await cluster.pods[0].kill()
      for _ in 0..<5 {
        let result = try await cluster.sender.push(Push(user: user, text: "hello"))
        #expect(result.outcomes == ["desk pod-0 unreachable", "phone pod-1 delivered"])
        let detail = try #require(result.sessions.first).detail
        #expect(detail.hasPrefix("pod pod-0: ") && !detail.contains { "()\"[]".contains($0) }, "\(detail)")
        #expect(result.completeness == .unknown)
        #expect(result.duration < .seconds(5))
      }
    }
  }

  @Test func aPodThatDiesFailsWhatIsInFlightOnItAtOnce() async throws {
    try await withCluster { cluster in
      let pod = cluster.pods[0]
      pod.change { $0.isSilent = true }
      let users = (0..<50).map { "user-\($0)" }
      for user in users { try await cluster.register("desk", of: user, on: 0) }
      let push = directoryPush(to: "")
      async let results = cluster.sender.pushMany(push, to: users)
      try await eventually("all calls are at the pod") { pod.look { $0.requests.count } == 50 }
      await pod.kill()
      for result in await results {
        let result = try result.get()
        #expect(result.sessions.map(\.outcome) == [.unreachable])
        #expect(result.sessions.allSatisfy { $0.detail.contains("may have arrived") })
        #expect(result.duration < .seconds(10))
      }
    }
  }

  @Test func aPodThatOwesAnswersForTooLongIsTakenForDead() async throws {
    try await withCluster({ $0.stallTimeout = .milliseconds(300) }) { cluster in
      try await cluster.register("desk", of: "ann", on: 0)
      cluster.pods[0].change { $0.isSilent = true }
      let push = directoryPush(to: "ann")
      let result = try await cluster.sender.push(push)
      #expect(result.sessions.map(\.outcome) == [.unreachable])
      #expect(result.duration < .seconds(10))
      // It recovers: the link is made anew.
      cluster.pods[0].change {
        $0.isSilent = false
        $0.sessions["ann"] = ["desk": UInt64.max]
      }
      try await eventually("the pod is reached again") {
        try await cluster.sender.push(push).sessions.map(\.outcome) == [.delivered]
      }
    }
  }

  @Test func aFrozenOwnerDoesNotHoldUpTheOtherPods() async throws {
    try await withCluster({ $0.stallTimeout = .seconds(4) }) { cluster in
      let user = try cluster.user(ownedBy: 0)
      cluster.pods[0].change { $0.isSilent = true }
      try await cluster.open("phone", of: user, on: 1)
      async let result = cluster.sender.push(Push(user: user, text: "hello"))
      // Before the owner is given up.
      try await eventually("the other pod is called", within: .seconds(3)) {
        cluster.pods[1].look { $0.requests.count } == 1
      }
      #expect(try await result.outcomes == ["phone pod-1 delivered"])
    }
  }

  @Test func aPushEndsAtItsTime() async throws {
    try await withCluster(pods: 1) { cluster in
      try await cluster.register("desk", of: "ann", on: 0)
      cluster.pods[0].change { $0.isSilent = true }
      var push = Push(user: "ann", text: "hello")
      push.timeout = .milliseconds(200)
      let result = try await cluster.sender.push(push)
      #expect(result.completeness == .unknown)
      #expect(result.duration >= .milliseconds(200) && result.duration < .seconds(2))
    }
  }

  @Test func aCancelledPushEndsAtOnce() async throws {
    try await withCluster(pods: 1) { cluster in
      cluster.pods[0].change { $0.isSilent = true }
      let push = Task { try await cluster.sender.push(Push(user: "ann", text: "hello")) }
      try await eventually("the call is at the pod") { cluster.pods[0].look { $0.requests.count } == 1 }
      push.cancel()
      #expect(try await push.value.duration < .seconds(10))
    }
  }

  @Test func tooManyPushesInFlightAreRefusedAndNothingIsSent() async throws {
    try await withCluster(pods: 1, { $0.maximumInFlight = 4 }) { cluster in
      let pod = cluster.pods[0]
      pod.change { $0.isSilent = true }
      let pushes = (0..<4).map { index in
        Task { try await cluster.sender.push(Push(user: "user-\(index)", text: "hello")) }
      }
      try await eventually("four calls are at the pod") { pod.look { $0.requests.count } == 4 }
      let refusal = await #expect(throws: PushError.self) {
        try await cluster.sender.push(Push(user: "one-too-many", text: "hello"))
      }
      #expect(refusal?.code == .resourceExhausted)
      #expect(pod.look { $0.requests.count } == 4)
      for push in pushes { push.cancel() }
      for push in pushes { _ = try await push.value }
      pod.change { $0.isSilent = false }
    }
  }

  @Test func onePodsFullQueueLeavesTheOthersAlone() async throws {
    try await withCluster({ $0.maximumCallsPerPod = 3 }) { cluster in
      cluster.pods[0].change { $0.isSilent = true }
      let push = directoryPush(to: "")
      let users = (0..<10).map { "user-\($0)" }
      for user in users { try await cluster.register("desk", of: user, on: 0) }
      try await cluster.open("desk", of: "ann", on: 1)
      async let results = cluster.sender.pushMany(push, to: users)
      try await eventually("three calls are at the pod") { cluster.pods[0].look { $0.requests.count } == 3 }
      var other = push
      other.user = "ann"
      #expect(try await cluster.sender.push(other).outcomes == ["desk pod-1 delivered"])
      await cluster.pods[0].kill()
      let outcomes = try await results.flatMap { try $0.get().sessions.map(\.outcome) }
      #expect(outcomes.count { $0 == .refused } == 7)
      #expect(outcomes.count { $0 == .unreachable } == 3)
    }
  }

  @Test func withoutTheRegistryAllPodsAreAsked() async throws {
    try await withCluster(pods: 3) { cluster in
      let user = try cluster.user(ownedBy: 0)
      try await cluster.open("phone", of: user, on: 2)
      try await cluster.redis.kill()
      let result = try await cluster.sender.push(Push(user: user, text: "hello"))
      #expect(result.outcomes == ["phone pod-2 delivered"])
      #expect(result.route == .scatter && result.completeness == .unknown)
      #expect(result.deliverRPCs == 3)
      #expect(!result.reason.isEmpty)
      try await cluster.redis.restart(empty: true)
    }
  }

  @Test func withoutAViewThereIsNothingToPushTo() async throws {
    try await withCluster(pods: 0) { cluster in
      let refusal = await #expect(throws: PushError.self) {
        try await cluster.sender.push(Push(user: "ann", text: "hello"))
      }
      #expect(refusal?.code == .unavailable)
      #expect(cluster.sender.notReadyReason != nil)
    }
  }
}
