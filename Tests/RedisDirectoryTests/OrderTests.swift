import Placement
import RedisDirectory
import TestServers
import Testing

/// What operators order: of pods by their ids, for their processes of now and of later.
@Suite struct OrderTests {
  private func current(_ registry: TestRegistry) async throws -> View {
    // In this order: what is pending is in no view yet. Changes within 100 ms become one view.
    try await waitUntil("the view is made") {
      guard try await registry.server.cli("EXISTS", "pushring:{test}:pending") == "0" else { return nil }
      return try await registry.directory.window()?.current
    }
  }

  @Test func aCordonedPodOwnsNothingAndStaysAMemberSinceThen() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1))
      let two = try await registry.directory.join(pod(2)).incarnation
      let orders = try await registry.directory.order(pod: "pod-1", state: .cordoned)
      #expect(orders?.order(for: "pod-1") == PodOrder(podID: "pod-1", weight: nil, state: .cordoned))
      let cordoned = try await current(registry)
      #expect(cordoned.state(one.incarnation) == .cordoned)
      #expect(
        cordoned.owner(ofUserHash: 1)?.incarnation == two && cordoned.owner(ofUserHash: 1 << 60)?.incarnation == two)
      let since = one.window.current.member(one.incarnation)?.since
      #expect(cordoned.member(one.incarnation)?.since == since)
      #expect(try await registry.directory.renew(one.incarnation, load: .init(sessions: 0, strays: 0)) != .lapsed)
      _ = try await registry.directory.order(pod: "pod-1", state: .active)
      let back = try await current(registry)
      #expect(back.state(one.incarnation) == .active && back.member(one.incarnation)?.since == since)
      #expect(try await registry.directory.orders()?.pods == [])
    }
  }

  @Test func aWeightHoldsAlsoForTheNextProcessUntilItIsGivenBack() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1, weight: 2))
      _ = try await registry.directory.order(pod: "pod-1", weight: 7)
      #expect(try await current(registry).member(one.incarnation)?.description.weight == 7)
      try await registry.directory.leave(one.incarnation)
      let next = try await registry.directory.join(pod(1, weight: 3))
      #expect(next.window.current.member(next.incarnation)?.description.weight == 7)
      let orders = try await registry.directory.order(pod: "pod-1", weight: 0)
      #expect(orders?.pods == [])
      #expect(try await current(registry).member(next.incarnation)?.description.weight == 3)
    }
  }

  @Test func aProcessThatJoinsIsAsThePodWasOrderedToBe() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1)).incarnation
      _ = try await registry.directory.order(pod: "pod-1", state: .drained)
      try await registry.directory.leave(one)
      let next = try await registry.directory.join(pod(1))
      #expect(next.window.current.state(next.incarnation) == .cordoned)
      #expect(try await registry.directory.orders()?.order(for: "pod-1")?.state == .drained)
    }
  }

  @Test func weightAndStateAreOrderedEachByItself() async throws {
    try await withRegistry { registry in
      _ = try await registry.directory.join(pod(1))
      _ = try await registry.directory.order(pod: "pod-1", weight: 5)
      let orders = try await registry.directory.order(pod: "pod-1", state: .cordoned)
      #expect(orders?.pods == [PodOrder(podID: "pod-1", weight: 5, state: .cordoned)])
    }
  }

  @Test func aLeavingPodStaysDrainingWhateverIsOrdered() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1)).incarnation
      _ = try await registry.directory.join(pod(2))
      try await registry.directory.drain(one)
      _ = try await registry.directory.order(pod: "pod-1", state: .cordoned)
      _ = try await registry.directory.order(pod: "pod-1", state: .active)
      #expect(try await current(registry).state(one) == .draining)
    }
  }

  @Test func anUnknownPodCanNotBeOrdered() async throws {
    try await withRegistry { registry in
      #expect(try await registry.directory.orders() == nil)
      #expect(try await registry.directory.order(homing: false) == nil)
      _ = try await registry.directory.join(pod(1))
      #expect(try await registry.directory.order(pod: "pod-9", state: .cordoned) == nil)
      #expect(try await registry.directory.orders()?.pods == [])
    }
  }

  @Test func renewalsTellThatThereIsANewOrder() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1)).incarnation
      func told() async throws -> UInt64? {
        guard
          case .renewed(_, _, _, let order) = try await registry.directory.renew(
            one, load: .init(sessions: 0, strays: 0))
        else { return nil }
        return order
      }
      let before = try #require(try await told())
      #expect(try await registry.directory.orders()?.homing == true)
      let paused = try #require(try await registry.directory.order(homing: false))
      #expect(!paused.homing && paused.number > before)
      #expect(try await told() == paused.number)
      #expect(try await registry.directory.orders()?.number == paused.number)
    }
  }
}
