import Placement
import Routing
import Sessions
import Testing

@Suite struct RingRouteTests {
  let window: Window
  let hash: UInt64
  let owner = member(1)
  let other = member(2)

  init() throws {
    window = try RoutingTests.window(1...3)
    hash = try window.hash(ownedBy: 1)
  }

  func ring(grouping: Bool = true) -> RouteDriver { RouteDriver(.ring, grouping: grouping, userHash: hash, window) }

  @Test func anOwnerThatVouchesCostsOneCallAndNoLookUp() throws {
    var push = ring()
    #expect(push.wants == ["deliver pod-1 *"])
    push.answer(owner, [try outcome("desk"), try outcome("phone", .slow)], complete: true)
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-1 slow"])
    let result = try #require(push.result)
    #expect(result.route == .ring && result.completeness == .complete)
    #expect(result.deliverRPCs == 1 && result.registryReads == 0)
  }

  @Test func anOwnerThatVouchesForNothingSendsThePushToTheRegistry() throws {
    var push = ring()
    push.answer(owner, [], complete: true)
    #expect(push.wants == ["read"])
    push.handle(.recordsRead([]))
    let result = try #require(push.result)
    #expect(result.route == .directory && result.completeness == .complete && result.results.isEmpty)
  }

  @Test func anOwnerThatKnowsANewerViewSendsThePushToTheNewOwner() throws {
    var push = ring()
    let newer = try view([member(2), member(3)], version: 11)
    push.answer(owner, [], stamps: WindowStamps(settled: window.settled.stamp, current: newer.stamp))
    #expect(push.wants == ["refresh"])
    push.handle(.viewRefreshed(Window(settled: newer, current: newer)))
    let successor = try #require(newer.owner(ofUserHash: hash))
    #expect(push.wants == ["deliver \(successor.podID) *"])
    push.answer(
      successor, [try outcome("desk")], complete: true,
      stamps: WindowStamps(settled: newer.stamp, current: newer.stamp))
    let result = try #require(push.result)
    #expect(result.route == .ring && result.completeness == .complete)
    #expect(result.deliverRPCs == 2 && result.registryReads == 0)
  }

  @Test func aNewerViewIsReadOnceOnly() throws {
    var push = ring()
    let newer = WindowStamps(settled: window.settled.stamp, current: ViewStamp(version: 99, digest: 1))
    push.answer(owner, [], stamps: newer)
    // The registry does not know it (yet), or does not answer.
    push.handle(.viewRefreshed(nil))
    #expect(push.wants == ["read"])
  }

  @Test func withoutTheOwnersWordTheRegistryConfirms() throws {
    var push = ring()
    push.answer(owner, [try outcome("desk")])
    #expect(push.wants == ["read"])
    push.handle(.recordsRead([try record("desk", at: 1)]))
    #expect(push.outcomes == ["desk pod-1 delivered"])
    let result = try #require(push.result)
    #expect(result.route == .directory && result.completeness == .complete)
    #expect(result.deliverRPCs == 1 && result.registryReads == 1)
  }

  @Test func threeSessionsOnTheOwnerAndAnotherPodCostTwoCalls() throws {
    var push = ring()
    push.answer(owner, [try outcome("desk", epoch: 4)])
    push.handle(
      .recordsRead([
        try record("desk", at: 1, epoch: 4), try record("phone", at: 2, epoch: 5), try record("tv", at: 2, epoch: 6),
      ]))
    #expect(push.wants == ["deliver pod-2 phone@5 tv@6"])
    push.answer(other, [try outcome("phone", epoch: 5), try outcome("tv", epoch: 6)])
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-2 delivered", "tv pod-2 delivered"])
    let result = try #require(push.result)
    #expect(result.completeness == .complete && result.deliverRPCs == 2 && result.registryReads == 1)
  }

  @Test func anOwnerWithoutSessionsCostsOneCallMore() throws {
    var push = ring()
    push.answer(owner, [])
    push.handle(.recordsRead([try record("desk", at: 2), try record("phone", at: 3)]))
    #expect(push.wants == ["deliver pod-2 desk@1", "deliver pod-3 phone@1"])
    push.answer(member(3), [try outcome("phone")])
    #expect(push.directives.isEmpty)
    push.answer(other, [try outcome("desk")])
    #expect(push.result?.deliverRPCs == 3)
  }

  @Test func aSessionThatTheOwnerServedIsNotCalledAgain() throws {
    var push = ring()
    push.answer(owner, [try outcome("desk", epoch: 9)])
    // The record is older than the stream that got the message.
    push.handle(.recordsRead([try record("desk", at: 1, epoch: 8)]))
    #expect(push.result?.deliverRPCs == 1)
  }

  @Test func aNewerConnectionOfAServedSessionGetsTheMessageToo() throws {
    var push = ring()
    push.answer(owner, [try outcome("desk", epoch: 4)])
    push.handle(.recordsRead([try record("desk", at: 2, epoch: 5)]))
    #expect(push.wants == ["deliver pod-2 desk@5"])
    push.answer(other, [try outcome("desk", epoch: 5)])
    #expect(push.outcomes == ["desk pod-2 delivered"])
  }

  @Test func aSlowSessionIsAnOutcomeAndNotTriedAgain() throws {
    var push = ring()
    push.answer(owner, [try outcome("desk", .slow, epoch: 4)])
    push.handle(.recordsRead([try record("desk", at: 1, epoch: 4)]))
    #expect(push.outcomes == ["desk pod-1 slow"])
    #expect(push.result?.completeness == .complete)
  }

  @Test func aClaimIsWorthNothingWhenOurViewIsOld() throws {
    var push = ring()
    push.answer(owner, [try outcome("desk")], complete: true, fresh: false)
    #expect(push.wants == ["read"])
  }

  @Test func aClaimByAViewOlderThanTheSettledOneIsWorthNothing() throws {
    var push = ring()
    let old = ViewStamp(version: 9, digest: 9)
    push.answer(owner, [], complete: true, stamps: WindowStamps(settled: old, current: old))
    #expect(push.wants == ["read"])
  }

  @Test func aClaimByAnotherViewOfTheSameNumberIsWorthNothing() throws {
    var push = ring()
    let forked = ViewStamp(version: 10, digest: 77)
    push.answer(owner, [], complete: true, stamps: WindowStamps(settled: forked, current: forked))
    #expect(push.wants == ["read"])
  }

  /// Found by the simulation: a device's session, welcomed in an outage, that its record does not show yet.
  @Test func podsThatTheOwnerNamesAreAskedForEverything() throws {
    var push = ring()
    push.answer(owner, [], strays: [other.incarnation, member(3).incarnation])
    push.handle(.recordsRead([try record("desk", at: 2)]))
    #expect(push.wants == ["deliver pod-2 *", "deliver pod-3 *"])
    push.answer(other, [try outcome("desk"), try outcome("tv")])
    push.answer(member(3), [try outcome("phone")])
    #expect(push.outcomes == ["desk pod-2 delivered", "phone pod-3 delivered", "tv pod-2 delivered"])
    #expect(push.result?.completeness == .complete)
  }

  /// Found by the simulation: a new process at the address of an owner that has left.
  @Test func anOwnerThatIsNoMemberAnyMoreLeavesADoubt() throws {
    var push = ring()
    push.answer(owner, [], isFromMember: false)
    push.handle(.recordsRead([try record("phone", at: 2)]))
    push.answer(other, [try outcome("phone")])
    #expect(push.outcomes == ["phone pod-2 delivered"])
    #expect(push.result?.completeness == .unknown)
  }

  @Test func aPodThatTheOwnerNamesAndThatLeavesOutASessionIsAskedForIt() throws {
    var push = ring()
    push.answer(owner, [], strays: [other.incarnation])
    push.handle(.recordsRead([try record("desk", at: 2, epoch: 3)]))
    push.answer(other, [])
    #expect(push.wants == ["deliver pod-2 desk@3"])
    push.answer(other, [try outcome("desk", .gone, epoch: 3)])
    #expect(push.wants == ["read"])
    push.handle(.recordsRead([]))
    #expect(push.outcomes == ["desk pod-2 gone"])
    #expect(push.result?.completeness == .complete)
  }

  @Test func aPodThatTheOwnerNamesAndThatDoesNotAnswerLeavesADoubt() throws {
    var push = ring()
    push.answer(owner, [try outcome("tv")], strays: [other.incarnation, member(3).incarnation])
    push.handle(.recordsRead([try record("tv", at: 1), try record("desk", at: 2)]))
    push.answer(member(3), [])
    push.fail(other)
    push.handle(.recordsRead([try record("tv", at: 1), try record("desk", at: 2)]))
    #expect(push.outcomes == ["desk pod-2 unreachable", "tv pod-1 delivered"])
    #expect(push.result?.completeness == .unknown)
  }

  @Test func anUnreachableOwnerIsNotCalledAgainForItsRecords() throws {
    var push = ring()
    push.fail(owner)
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2)]))
    #expect(push.wants == ["deliver pod-2 phone@1"])
    push.answer(other, [try outcome("phone")])
    #expect(push.outcomes == ["desk pod-1 unreachable", "phone pod-2 delivered"])
    #expect(push.result?.completeness == .unknown)
  }

  /// It may know of a stray that was welcomed while the registry was away, and is not registered yet.
  @Test func anUnreachableOwnerLeavesADoubtWhateverTheRecordsSay() throws {
    var push = ring()
    push.fail(owner)
    push.handle(.recordsRead([try record("phone", at: 2)]))
    push.answer(other, [try outcome("phone")])
    #expect(push.outcomes == ["phone pod-2 delivered"])
    #expect(push.result?.completeness == .unknown)
    #expect(push.result?.deliverRPCs == 2)
  }

  @Test func aLateOwnerHoldsUpNobodyElse() throws {
    var push = ring()
    push.handle(.ownerIsLate)
    #expect(push.wants == ["read"])
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2)]))
    #expect(push.wants == ["deliver pod-2 phone@1"])
    push.answer(other, [try outcome("phone")])
    #expect(push.directives.isEmpty)
    push.answer(owner, [try outcome("desk")])
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-2 delivered"])
    #expect(push.result?.deliverRPCs == 2)
  }

  /// Found by the simulation.
  @Test func podsThatALateOwnerNamesAreAskedAsWell() throws {
    var push = ring()
    push.handle(.ownerIsLate)
    push.handle(.recordsRead([try record("desk", at: 1)]))
    push.answer(owner, [try outcome("desk")], strays: [other.incarnation])
    #expect(push.wants == ["deliver pod-2 *"])
    push.answer(other, [try outcome("phone")])
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-2 delivered"])
    #expect(push.result?.completeness == .complete)
  }

  @Test func aLateOwnerThatLeavesOutASessionIsAskedForIt() throws {
    var push = ring()
    push.handle(.ownerIsLate)
    push.handle(.recordsRead([try record("desk", at: 1, epoch: 3)]))
    push.answer(owner, [])
    #expect(push.wants == ["deliver pod-1 desk@3"])
    push.answer(owner, [try outcome("desk", epoch: 3)])
    #expect(push.outcomes == ["desk pod-1 delivered"])
  }

  @Test func ungroupedEachSessionCostsACall() throws {
    var push = ring(grouping: false)
    push.answer(owner, [])
    push.handle(.recordsRead([try record("desk", at: 2), try record("phone", at: 2)]))
    #expect(push.wants == ["deliver pod-2 desk@1", "deliver pod-2 phone@1"])
  }
}
