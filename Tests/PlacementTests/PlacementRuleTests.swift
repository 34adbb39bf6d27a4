import Placement
import Testing

/// The rules R1 to R5, each by what it forbids.
@Suite struct PlacementRuleTests {
  let settled = view(1, active: [1, 2])
  let current = view(2, active: [1, 2, 3], since: [3: 2])

  // MARK: R1

  @Test func anOwnerWelcomesItsUsersAtOnce() {
    var one = member(1, window(settled))
    let ann = user(ownedBy: [1], in: [settled])
    one.sessionArriving(userHash: ann)
    #expect(one.admission(ofUserHash: ann, now: .zero) == .admitted)
    #expect(one.ownersToTell.isEmpty)
  }

  @Test func aStrayIsWelcomedOnlyWhenItsOwnerHasRecordedIt() {
    var members = TestMembers([1, 2], window(settled))
    let ann = user(ownedBy: [2], in: [settled])
    members[1].sessionArriving(userHash: ann)
    #expect(members[1].admission(ofUserHash: ann, now: .zero) == .waiting(until: nil))
    members.exchange()
    #expect(members[1].admission(ofUserHash: ann, now: .zero) == .admitted)
    #expect(members[2].claim(forUserHash: ann, now: .zero) == Claim(isComplete: false, strays: [incarnation(1)]))
  }

  @Test func theOwnersInBothViewsOfTheWindowAreTold() {
    let ann = user(ownedBy: [2, 3], in: [settled, current])
    var one = member(1, window(settled, current))
    one.sessionArriving(userHash: ann)
    #expect(Set(one.ownersToTell) == [incarnation(2), incarnation(3)])
  }

  @Test func nobodyIsWelcomedWithoutALeaseByTheClockOfThatMoment() {
    var one = member(1, window(settled), leaseEnds: .seconds(3))
    let ann = user(ownedBy: [1], in: [settled])
    one.sessionArriving(userHash: ann)
    #expect(one.admission(ofUserHash: ann, now: .seconds(3)) == .noLease)
    one.leaseExtended(until: .seconds(5))
    #expect(one.admission(ofUserHash: ann, now: .seconds(3)) == .admitted)
  }

  @Test func anOwnerOutOfTheCurrentViewNeedNotBeTold() {
    let ann = user(ownedBy: [2], in: [settled])
    for later in [view(2, active: [1]), view(2, active: [1], grace: [2])] {
      var one = member(1, window(settled))
      one.sessionArriving(userHash: ann)
      #expect(one.admission(ofUserHash: ann, now: .zero) == .waiting(until: nil))
      #expect(one.windowChanged(window(settled, later), claimsEnd: .zero) == .changed)
      #expect(one.admission(ofUserHash: ann, now: .zero) == .admitted)
    }
  }

  @Test func aDrainingOwnerOfTheSettledViewIsStillTold() {
    let ann = user(ownedBy: [2], in: [settled])
    var one = member(1, window(settled, view(2, active: [1], draining: [2])))
    one.sessionArriving(userHash: ann)
    #expect(one.ownersToTell == [incarnation(2)])
    #expect(one.admission(ofUserHash: ann, now: .zero) == .waiting(until: nil))
  }

  @Test func anOwnerThatIsProvenGoneNeedNotBeTold() {
    let ann = user(ownedBy: [2], in: [settled])
    var one = member(1, window(settled))
    one.sessionArriving(userHash: ann)
    #expect(one.provedGone(incarnation(2)) == .changed)
    #expect(one.ownersToTell.isEmpty)
    #expect(one.admission(ofUserHash: ann, now: .zero) == .admitted)
  }

  @Test func aNewMemberOfAnEmptyRegistryAdmitsNobodyForALease() {
    let alone = view(1, active: [1])
    let one = MemberPlacement(
      incarnation: incarnation(1), window: window(alone), leaseEnds: .seconds(9), admitsFrom: .seconds(3))
    #expect(!one.mayAdmit(now: .seconds(2)))
    #expect(one.admission(ofUserHash: 7, now: .seconds(2)) == .waiting(until: .seconds(3)))
    #expect(one.admission(ofUserHash: 7, now: .seconds(3)) == .admitted)
  }

  @Test func inAConfirmedOutageSessionsAreAdmittedWithoutALease() {
    var one = member(1, window(settled), leaseEnds: .seconds(3))
    let ann = user(ownedBy: [1], in: [settled])
    one.sessionArriving(userHash: ann)
    one.outageConfirmed(asked: .seconds(4), until: .seconds(6))
    #expect(one.admission(ofUserHash: ann, now: .seconds(5)) == .admitted)
    #expect(!one.claim(forUserHash: ann, now: .seconds(5)).isComplete)
    #expect(one.admission(ofUserHash: ann, now: .seconds(6)) == .noLease)
    one.outageConfirmed(asked: .seconds(6), until: .seconds(9))
    one.outageDenied()
    #expect(one.admission(ofUserHash: ann, now: .seconds(7)) == .noLease)
  }

  // MARK: R2

  @Test func aViewIsAcknowledgedOnlyWhenItsOwnersKnowOfEverySession() {
    let ann = user(ownedBy: [1, 3], in: [settled, current])
    var members = TestMembers([1, 2], window(settled))
    members[1].sessionArriving(userHash: ann)
    members[1].acknowledgementTaken(settled.stamp)
    members.members[3] = member(3, window(settled, current))
    #expect(members[1].windowChanged(window(settled, current), claimsEnd: .zero) == .changed)
    #expect(members[1].viewToAcknowledge == nil)
    members.exchange()
    #expect(members[1].viewToAcknowledge == current.stamp)
    members[1].acknowledgementTaken(current.stamp)
    #expect(members[1].viewToAcknowledge == nil)
    #expect(members[3].claim(forUserHash: ann, now: .zero).strays == [incarnation(1)])
  }

  @Test func aSessionThatComesLaterDoesNotHoldAnAcknowledgementUp() {
    var one = member(1, window(settled))
    one.sessionArriving(userHash: user(ownedBy: [2], in: [settled]))
    #expect(one.viewToAcknowledge == settled.stamp)
  }

  @Test func anOwnerThatIsGoneDoesNotHoldAnAcknowledgementUp() {
    let ann = user(ownedBy: [3], in: [current])
    var members = TestMembers([1, 2], window(settled))
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    _ = members[1].windowChanged(window(settled, current), claimsEnd: .zero)
    #expect(members[1].provedGone(incarnation(3)) == .changed)
    _ = members[1].windowChanged(window(current), claimsEnd: .zero)
    let without = view(3, active: [1, 2])
    _ = members[1].windowChanged(window(current, without), claimsEnd: .zero)
    members.exchange()
    #expect(members[1].viewToAcknowledge == without.stamp)
  }

  // MARK: R3

  @Test func onlyTheOwnerInBothViewsClaims() {
    let both = user(ownedBy: [1, 1], in: [settled, current])
    let before = user(ownedBy: [1, 3], in: [settled, current])
    let never = user(ownedBy: [2, 2], in: [settled, current])
    let one = member(1, window(settled, current))
    #expect(one.claim(forUserHash: both, now: .zero).isComplete)
    #expect(!one.claim(forUserHash: before, now: .zero).isComplete)
    #expect(!one.claim(forUserHash: never, now: .zero).isComplete)
    #expect(!member(3, window(settled, current)).claim(forUserHash: before, now: .zero).isComplete)
    #expect(member(3, window(current)).claim(forUserHash: before, now: .zero).isComplete)
  }

  @Test func nobodyClaimsWithoutALease() {
    let one = member(1, window(settled), leaseEnds: .seconds(3))
    let ann = user(ownedBy: [1], in: [settled])
    #expect(one.claim(forUserHash: ann, now: .seconds(3) - .nanoseconds(1)).isComplete)
    #expect(!one.claim(forUserHash: ann, now: .seconds(3)).isComplete)
  }

  @Test func viewsFromBeforeAResumeGiveNothing() {
    let ann = user(ownedBy: [1, 1], in: [settled, current])
    let resumed = view(3, active: [1, 2, 3], since: [1: 3, 3: 2])
    let one = member(1, window(settled, resumed))
    #expect(!one.claim(forUserHash: ann, now: .zero).isComplete)
    #expect(member(1, window(resumed)).claim(forUserHash: ann, now: .zero).isComplete)
  }

  // MARK: R4

  @Test func aMemberCountsOnLessThanTheWholeLease() {
    #expect(MemberPlacement.ownLease(.seconds(3)) < .seconds(3))
    #expect(MemberPlacement.ownLease(.seconds(3)) > .seconds(2.9))
  }

  @Test func aLateAnswerDoesNotShortenALease() {
    var one = member(1, window(settled), leaseEnds: .seconds(5))
    one.leaseExtended(until: .seconds(4))
    #expect(one.hasLease(now: .seconds(4.5)))
  }

  @Test func whoResumesTellsOwnersOfTheViewsBeforeUntilTheirClaimsAreOver() {
    // 2 owned the user before; the registry lost its data, and 2 has not come back.
    let before = view(5, active: [1, 2])
    let ann = user(ownedBy: [2], in: [before])
    var one = member(1, window(before), leaseEnds: .zero)
    let after = view(6, active: [1], grace: [2], since: [1: 6])
    one.resumed(window(view(0), after), leaseEnds: .seconds(9), claimsEnd: .seconds(3))
    one.sessionArriving(userHash: ann)
    #expect(one.ownersToTell == [incarnation(2)])
    #expect(one.admission(ofUserHash: ann, now: .seconds(1)) == .waiting(until: .seconds(3)))
    #expect(one.timePassed(now: .seconds(3)) == .changed)
    #expect(one.admission(ofUserHash: ann, now: .seconds(3)) == .admitted)
  }

  @Test func streamsAreClosedAfterTheGraceThatOthersCanHaveCounted() {
    var one = member(1, window(settled), leaseEnds: .seconds(3))
    #expect(!one.isPastGrace(.seconds(2), now: .seconds(4.9)))
    #expect(one.isPastGrace(.seconds(2), now: .seconds(5)))
    one.outageConfirmed(asked: .seconds(8), until: .seconds(9))
    one.outageDenied()
    #expect(!one.isPastGrace(.seconds(2), now: .seconds(9.9)))
    #expect(one.isPastGrace(.seconds(2), now: .seconds(10)))
  }

  /// Found by the simulation: the view after a loss of data, heard before the own resume, by a member that had not heard of
  /// any view that settled.
  @Test func whomARecoveringRegistryCountsAsInGraceMayStillClaim() {
    let before = view(2, active: [1, 2])
    let ann = user(ownedBy: [1], in: [before])
    var two = member(2, Window(settled: noView, current: before))
    two.sessionArriving(userHash: ann)
    let voided = view(3, grace: [1, 2])
    _ = two.windowChanged(Window(settled: noView, current: voided), claimsEnd: .seconds(3))
    #expect(two.admission(ofUserHash: ann, now: .seconds(1)) == .waiting(until: .seconds(3)))
    #expect(two.timePassed(now: .seconds(3)) == .changed)
  }

  @Test func aWindowThatHasSettledLessIsTheOlderOne() {
    var one = member(1, window(current))
    #expect(one.windowChanged(window(settled, current), claimsEnd: .zero) == .nothing)
    #expect(one.window.settled.stamp == current.stamp)
  }

  /// Found by the simulation: a new process read a view, the registry was emptied, and it joined the empty one.
  @Test func aViewFromBeforeTheOwnIncarnationIsNotFollowed() {
    let joined = view(1, active: [9])
    var nine = member(9, window(joined))
    #expect(nine.windowChanged(window(view(3, grace: [1, 2], newest: 8)), claimsEnd: .zero) == .nothing)
    #expect(nine.viewToAcknowledge == joined.stamp)
  }

  @Test func aRegistryThatCountsFromBelowIsNotFollowed() {
    var one = member(1, window(current))
    #expect(one.windowChanged(window(view(1, active: [2])), claimsEnd: .zero) == .nothing)
    #expect(one.window.current.stamp == current.stamp)
  }

  @Test func afterAResumeStraysAreToldAgainBeforeAnythingIsAcknowledged() {
    var members = TestMembers([1, 2], window(settled))
    let ann = user(ownedBy: [2], in: [settled])
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    // The owner has forgotten all it knew of 1.
    members[2] = member(2, window(settled))
    let after = view(3, active: [1, 2], since: [1: 3, 2: 3])
    members[1].resumed(window(settled, after), leaseEnds: .seconds(9), claimsEnd: .seconds(3))
    #expect(members[1].admission(ofUserHash: ann, now: .zero) == .waiting(until: nil))
    #expect(members[1].viewToAcknowledge == nil)
    members.exchange()
    #expect(members[1].viewToAcknowledge == after.stamp)
    #expect(members[2].claim(forUserHash: ann, now: .zero).strays == [incarnation(1)])
  }

  // MARK: R5

  @Test func aStrayIsForgottenWhenItsLastSessionEnds() {
    var members = TestMembers([1, 2], window(settled))
    let ann = user(ownedBy: [2], in: [settled])
    members[1].sessionArriving(userHash: ann)
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    members[1].sessionEnded(userHash: ann)
    members.exchange()
    #expect(members[2].strayCount == 1)
    members[1].sessionEnded(userHash: ann)
    #expect(members[2].strayCount == 1)
    members.exchange()
    #expect(members[2].claim(forUserHash: ann, now: .zero) == Claim(isComplete: true, strays: []))
  }

  @Test func aRetractedStrayIsToldAnewBeforeTheNextWelcome() {
    var members = TestMembers([1, 2], window(settled))
    let ann = user(ownedBy: [2], in: [settled])
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    members[1].sessionEnded(userHash: ann)
    members[1].sessionArriving(userHash: ann)
    #expect(members[1].admission(ofUserHash: ann, now: .zero) == .waiting(until: nil))
    members.exchange()
    #expect(members[1].admission(ofUserHash: ann, now: .zero) == .admitted)
    #expect(members[2].strayCount == 1)
  }

  @Test func theStraysOfAMemberInGraceStayUntilItIsGone() {
    var members = TestMembers([1, 2], window(settled))
    let ann = user(ownedBy: [2], in: [settled])
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    let grace = view(2, active: [2], grace: [1])
    #expect(members[2].windowChanged(window(settled, grace), claimsEnd: .zero) == .changed)
    #expect(members[2].strayCount == 1)
    #expect(!members[2].claim(forUserHash: ann, now: .zero).isComplete)
    #expect(members[2].windowChanged(window(settled, view(3, active: [2])), claimsEnd: .zero) == .changed)
    #expect(members[2].strayCount == 0)
  }

  @Test func whoIsGoneIsNotHeardAnyMore() {
    var members = TestMembers([1, 2], window(settled))
    let ann = user(ownedBy: [2], in: [settled])
    members[1].sessionArriving(userHash: ann)
    #expect(members[2].windowChanged(window(settled, view(3, active: [2])), claimsEnd: .zero) == .changed)
    let report = members[1].nextReport(to: incarnation(2))
    #expect(report.map { members[2].record($0) } == StrayReceipt(series: 0, recordedThrough: 0))
    #expect(members[2].strayCount == 0)
  }

  @Test func anOwnerOfNeitherViewIsToldToForget() {
    let ann = user(ownedBy: [2, 3], in: [settled, current])
    var members = TestMembers([1, 2, 3], window(settled))
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    for number: UInt64 in [1, 2, 3] { _ = members[number].windowChanged(window(settled, current), claimsEnd: .zero) }
    members.exchange()
    #expect((members[2].strayCount, members[3].strayCount) == (1, 1))
    _ = members[1].windowChanged(window(current), claimsEnd: .zero)
    members.exchange()
    #expect((members[2].strayCount, members[3].strayCount) == (0, 1))
  }
}
