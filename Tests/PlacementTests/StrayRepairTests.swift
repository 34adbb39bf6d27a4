import Placement
import Testing

/// What an operator's repair does: tell everything again, and take back what was never true.
@Suite struct StrayRepairTests {
  private let views = window(view(1, active: [1, 2, 3]))

  @Test func anOwnerThatLostWhatItWasToldLearnsItAgain() {
    let ann = user(ownedBy: [2], in: [views.current])
    var members = TestMembers([1, 2], views)
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    members[2] = member(2, views)
    #expect(members[2].strayCount == 0)
    #expect(members[1].reportAnew() == .changed)
    // Until it is recorded, nobody else of this user is welcomed, and nothing acknowledged.
    #expect(members[1].admission(ofUserHash: ann, now: .zero) == .waiting(until: nil))
    #expect(members[1].viewToAcknowledge == nil)
    members.exchange()
    #expect(members[2].claim(forUserHash: ann, now: .zero).strays == [incarnation(1)])
    #expect(members[1].viewToAcknowledge == views.current.stamp)
  }

  @Test func tellingAgainDoublesNothing() {
    let ann = user(ownedBy: [2], in: [views.current])
    var members = TestMembers([1, 2], views)
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    _ = members[1].reportAnew()
    members.exchange()
    #expect(members[2].strayCount == 1)
    members[1].sessionEnded(userHash: ann)
    members.exchange()
    #expect(members[2].strayCount == 0)
  }

  @Test func aStrayThatNobodyHasIsTakenBack() {
    let ann = user(ownedBy: [2], in: [views.current])
    var members = TestMembers([1, 2], views)
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    // The reporter has forgotten.
    members[1] = member(1, views)
    _ = members[1].reportAnew()
    #expect(members[2].strayCount == 1)
    #expect(members[1].retractWrong([ann], at: incarnation(2)) == .changed)
    // A new process of the protocol's reporter begins its series anew; the old one's entries are taken back in it.
    members.exchange()
    #expect(members[2].claim(forUserHash: ann, now: .zero) == Claim(isComplete: true, strays: []))
  }

  @Test func whatIsHereAfterAllIsNotTakenBack() {
    let ann = user(ownedBy: [2], in: [views.current])
    var members = TestMembers([1, 2], views)
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    #expect(members[1].retractWrong([ann], at: incarnation(2)) == .changed)
    members.exchange()
    #expect(members[2].claim(forUserHash: ann, now: .zero).strays == [incarnation(1)])
    #expect(members[1].admission(ofUserHash: ann, now: .zero) == .admitted)
  }

  @Test func toWhomItDoesNotBelongItIsTakenBackAlsoWhileItIsHere() {
    let ann = user(ownedBy: [2], in: [views.current])
    var members = TestMembers([1, 2, 3], views)
    members[1].sessionArriving(userHash: ann)
    members.exchange()
    // 3 has it by mistake.
    _ = members[3].record(
      StrayReport(
        reporter: incarnation(1), owner: incarnation(3), series: 1, firstNumber: 1,
        entries: [StrayEntry(userHash: ann, isRetraction: false)]))
    #expect(members[3].strayCount == 1)
    #expect(members[1].retractWrong([ann], at: incarnation(3)) == .changed)
    members.exchange()
    #expect(members[3].strayCount == 0 && members[2].strayCount == 1)
  }

  @Test func aMemberThatIsGoneIsToldNothing() {
    var one = member(1, views)
    #expect(one.retractWrong([7], at: incarnation(9)) == .nothing)
    #expect(one.ownersToTell.isEmpty)
  }
}
