import Placement
import Sessions
import Testing

@testable import Rebalancing

private let source = Incarnation(rawValue: 1)
private let target = Incarnation(rawValue: 2)

private func key(_ number: Int) throws -> SessionKey {
  SessionKey(user: try UserID("user-\(number)"), session: try SessionID("device"))
}

@Suite struct MoverTests {
  /// Begins moves until the mover says no; returns how many.
  private func beginAll(_ mover: inout Mover, of keys: Range<Int>, now: Duration) throws -> Int {
    try keys.count { number in
      mover.begin(
        try key(number), StreamID(rawValue: UInt64(number)), source: source, target: target, now: now) != nil
    }
  }

  @Test func movesAreBegunAtTheRateAndNoFaster() throws {
    var mover = Mover(limits: MoveLimits(rate: 50, concurrency: 1_000))
    var begun = 0
    for step in 1...100 {
      begun += try beginAll(&mover, of: (step * 100)..<(step * 100 + 100), now: .milliseconds(step * 100))
    }
    #expect((490...510).contains(begun))
  }

  @Test func aRateBelowOneASecondIsKeptToo() throws {
    var mover = Mover(limits: MoveLimits(rate: 0.5))
    let begun = try (0..<100).reduce(0) { begun, step in
      begun + (try beginAll(&mover, of: step..<(step + 1), now: .milliseconds(step * 100)))
    }
    #expect((4...6).contains(begun))
  }

  @Test func noMoreAreUnderWayThanAllowedAndOneThatEndsMakesRoom() throws {
    var mover = Mover(limits: MoveLimits(rate: 1_000_000, concurrency: 3))
    #expect(try beginAll(&mover, of: 0..<10, now: .seconds(1)) == 3)
    #expect(mover.released(try key(1))?.target == target)
    #expect(try beginAll(&mover, of: 3..<10, now: .seconds(1)) == 1)
    #expect(mover.counts.moved == 1)
  }

  @Test func aSessionIsNeverAskedTwiceAtATime() throws {
    var mover = Mover(limits: MoveLimits(rate: 1_000_000))
    #expect(try beginAll(&mover, of: 0..<1, now: .seconds(1)) == 1)
    #expect(try beginAll(&mover, of: 0..<1, now: .seconds(2)) == 0)
  }

  @Test func aSessionThatDidNotMoveRestsLongerEachTime() throws {
    var mover = Mover(limits: MoveLimits(rate: 1_000_000, deadline: .seconds(10)))
    var now = Duration.seconds(1)
    for rest in [Duration.seconds(30), .seconds(60), .seconds(120)] {
      #expect(try beginAll(&mover, of: 0..<1, now: now) == 1)
      now += .seconds(10)
      #expect(mover.overdue(now: now).count == 1)
      #expect(!mover.mayBegin(try key(0), now: now + rest - .milliseconds(1)))
      now += rest
      #expect(mover.mayBegin(try key(0), now: now))
    }
    #expect(mover.counts.failed == 3)
  }

  @Test func anOperatorWakesThoseThatRest() throws {
    var mover = Mover(limits: MoveLimits(rate: 1_000_000, deadline: .seconds(1)))
    #expect(try beginAll(&mover, of: 0..<1, now: .seconds(1)) == 1)
    _ = mover.overdue(now: .seconds(2))
    mover.targetRefused(target, until: .seconds(60))
    mover.wakeAll()
    #expect(mover.mayBegin(try key(0), now: .seconds(2)))
    #expect(mover.mayOffer(target, now: .seconds(2)))
  }

  @Test func aMoveToATargetThatIsLostIsOverAtOnce() throws {
    var mover = Mover(limits: MoveLimits(rate: 1_000_000, deadline: .seconds(10)))
    #expect(try beginAll(&mover, of: 0..<2, now: .seconds(1)) == 2)
    #expect(mover.overdue(now: .seconds(2)) { $0 != target }.isEmpty)
    #expect(mover.overdue(now: .seconds(2)) { $0 == target }.count == 2)
    #expect(mover.underWay == 0)
  }

  @Test func aStreamThatClosesIsAMoveOnlyIfTheSessionIsReleased() throws {
    var mover = Mover(limits: MoveLimits(rate: 1_000_000, deadline: .seconds(10)))
    #expect(try beginAll(&mover, of: 0..<2, now: .seconds(1)) == 2)
    for number in 0..<2 { mover.closed(try key(number), StreamID(rawValue: UInt64(number))) }
    #expect(mover.released(try key(0)) != nil)
    #expect(mover.overdue(now: .seconds(11)).map(\.isClosed) == [true])
    #expect((mover.counts.moved, mover.counts.ended, mover.counts.failed) == (1, 1, 0))
  }

  @Test func aTargetThatRefusedIsLeftAloneForAsLongAsItSaid() {
    var mover = Mover(limits: MoveLimits(rate: 1))
    mover.targetRefused(target, until: .seconds(5))
    #expect(!mover.mayOffer(target, now: .seconds(4)))
    #expect(mover.mayOffer(target, now: .seconds(5)))
    #expect(mover.mayOffer(source, now: .seconds(4)))
  }
}

@Suite struct MoveGrantsTests {
  @Test func placesAreNotGivenTwice() {
    var grants = MoveGrants(rate: 1_000)
    #expect(grants.offered(10, room: 15, deadline: .seconds(10), now: .seconds(1)).granted == 10)
    #expect(grants.offered(10, room: 15, deadline: .seconds(10), now: .seconds(1)).granted == 5)
    #expect(grants.offered(10, room: 15, deadline: .seconds(10), now: .seconds(1)).granted == 0)
  }

  @Test func aFullPodGrantsNothingAndSaysWhenToAskAgain() {
    var grants = MoveGrants(rate: 1_000)
    let answer = grants.offered(1, room: 0, deadline: .seconds(10), now: .seconds(1))
    #expect(answer == .init(granted: 0, retryAfter: .seconds(5)))
  }

  @Test func aPlaceIsFreeAgainWhenItsSessionArrivedOrDidNotComeInTime() {
    var grants = MoveGrants(rate: 1_000)
    _ = grants.offered(3, room: 3, deadline: .seconds(10), now: .seconds(1))
    grants.arrived(now: .seconds(2))
    // The session that arrived takes its place in the room now.
    #expect(grants.offered(3, room: 2, deadline: .seconds(10), now: .seconds(2)).granted == 0)
    #expect(grants.reserved(now: .seconds(2)) == 2)
    #expect(grants.reserved(now: .seconds(11)) == 0)
    #expect(grants.offered(3, room: 2, deadline: .seconds(10), now: .seconds(11)).granted == 2)
  }

  @Test func arrivalsAreSpreadOverTime() {
    var grants = MoveGrants(rate: 100)
    var granted = 0
    for step in 1...50 {
      granted += grants.offered(1_000, room: nil, deadline: .seconds(1), now: .milliseconds(step * 100)).granted
    }
    #expect((490...530).contains(granted))
  }

  @Test func aSourceCannotHoldPlacesForLongerThanAMinute() {
    var grants = MoveGrants(rate: 1_000)
    _ = grants.offered(5, room: 5, deadline: .seconds(3_600), now: .zero + .seconds(1))
    #expect(grants.reserved(now: .seconds(60)) == 5)
    #expect(grants.reserved(now: .seconds(61)) == 0)
  }
}

@Suite struct MoveTicketTests {
  @Test func aTicketComesBackAsItWas() {
    let ticket = MoveTicket(source: .init(rawValue: 1_790_000_000_000_001), target: .init(rawValue: .max), number: 7)
    #expect(MoveTicket(bytes: ticket.bytes) == ticket)
  }

  @Test(arguments: [0, 1, 24, 26, 1_000])
  func bytesOfAnotherLengthAreNoTicket(_ count: Int) {
    #expect(MoveTicket(bytes: [UInt8](repeating: 1, count: count)) == nil)
  }

  @Test func anotherFormatIsNoTicket() {
    var bytes = MoveTicket(source: source, target: target, number: 1).bytes
    bytes[0] = 2
    #expect(MoveTicket(bytes: bytes) == nil)
  }
}
