import Sessions
import Testing

/// What becomes of messages for a session whose queue is full; 300 bytes fit.
@Suite struct SlowPolicyTests {
  private func fixture(_ policy: SlowPolicy) throws -> Fixture {
    var fixture = Fixture {
      $0.outboundBytes = 300
      $0.slowPolicy = policy
    }
    try fixture.live(1)
    for _ in 0..<3 {
      let taken = try #require(try fixture.deliver().first)
      #expect(taken.outcome == .delivered && taken.slow == nil)
    }
    return fixture
  }

  // MARK: Drop newest

  @Test func theNewestIsDroppedAndTheClientToldAtOnce() throws {
    var fixture = try fixture(.dropNewest)
    let slow = try fixture.deliver()
    #expect(slow.map(\.outcome) == [.slow])
    #expect(slow.map(\.stream) == [nil])
    #expect(slow.map(\.slow) == [.droppedNewest(1, tell: 1)])
    #expect(fixture.table.counts.queuedBytes == 300)
  }

  @Test func whileANoticeWaitsNoOtherIsQueuedAndThenTheRestIsTold() throws {
    var fixture = try fixture(.dropNewest)
    _ = try fixture.deliver()
    fixture.table.lossTold(1, frameBytes: 5)
    for _ in 0..<4 { #expect(try fixture.deliver().first?.slow == .droppedNewest(1, tell: 0)) }
    #expect(fixture.table.bytesWritten(1, 300) == 0)
    #expect(fixture.table.bytesWritten(1, 5) == 4)
    fixture.table.lossTold(1, frameBytes: 5)
    #expect(fixture.table.bytesWritten(1, 5) == 0)
    #expect(fixture.table.counts.queuedBytes == 0)
  }

  // MARK: Drop oldest

  @Test func theNewestIsTakenAndTheOldestMakeRoom() throws {
    var fixture = try fixture(.dropOldest)
    let taken = try fixture.deliver()
    #expect(taken.map(\.outcome) == [.delivered])
    #expect(taken.map(\.stream) == [1])
    #expect(taken.map(\.slow) == [.dropsOldest])
    #expect(fixture.table.messagesDropped(1, 1, bytes: 100) == 1)
    #expect(fixture.table.counts.queuedBytes == 300)
  }

  /// A shell that falls behind must not make the queue grow without end.
  @Test func aQueueOfTwiceTheLimitTakesNoMore() throws {
    var fixture = try fixture(.dropOldest)
    for _ in 0..<3 { #expect(try fixture.deliver().first?.slow == .dropsOldest) }
    #expect(try fixture.deliver().map(\.slow) == [.droppedNewest(1, tell: 1)])
    #expect(fixture.table.counts.queuedBytes == 600)
  }

  @Test func whatIsDroppedAheadOfANoticeDoesNotBringItOut() throws {
    var fixture = try fixture(.dropOldest)
    _ = try fixture.deliver()
    #expect(fixture.table.messagesDropped(1, 1, bytes: 100) == 1)
    fixture.table.lossTold(1, frameBytes: 5)
    // All that was ahead of it, and more that came after.
    for _ in 0..<6 { #expect(fixture.table.messagesDropped(1, 1, bytes: 100) == 0) }
    #expect(fixture.table.bytesWritten(1, 5) == 6)
  }

  // MARK: Disconnect

  @Test func theStreamIsForgottenAndItsRecordGivenBackOnce() throws {
    var fixture = try fixture(.disconnect)
    let slow = try fixture.deliver()
    #expect(slow.map(\.outcome) == [.slow])
    #expect(slow.map(\.slow) == [.disconnected(1, try record())])
    #expect(fixture.table.streamClosed(1) == nil)
    #expect(fixture.table.counts.queuedBytes == 0)
    #expect(fixture.table.messagesDropped(1, 3, bytes: 300) == 0)
    #expect(try fixture.deliver().isEmpty)
  }

  // MARK: The end of a stream

  @Test func whatIsNotToldWhenTheSessionMovesIsThereForTheLastWords() throws {
    var fixture = try fixture(.dropNewest)
    // The first is told by a notice, which waits; the others are not.
    _ = try fixture.deliver()
    fixture.table.lossTold(1, frameBytes: 5)
    for _ in 0..<4 { _ = try fixture.deliver() }
    #expect(fixture.table.takenOver(try record().key, newEpoch: Epoch(rawValue: 2)) == 1)
    #expect(fixture.table.takeUntoldLoss(of: 1) == 4)
    #expect(fixture.table.takeUntoldLoss(of: 1) == 0)
  }

  @Test func whatIsDroppedAfterTheSessionHasMovedIsThereForTheLastWords() throws {
    var fixture = try fixture(.dropOldest)
    #expect(try fixture.deliver().first?.slow == .dropsOldest)
    _ = fixture.table.takenOver(try record().key, newEpoch: Epoch(rawValue: 2))
    #expect(fixture.table.messagesDropped(1, 1, bytes: 100) == 0)
    #expect(fixture.table.takeUntoldLoss(of: 1) == 1)
    #expect(fixture.table.counts.queuedBytes == 0)
  }

  @Test func aStreamThatLostNothingHasNoLastWords() throws {
    var fixture = try fixture(.dropNewest)
    #expect(fixture.table.takeUntoldLoss(of: 1) == 0)
    _ = try fixture.deliver()
    fixture.table.lossTold(1, frameBytes: 5)
    #expect(fixture.table.takeUntoldLoss(of: 1) == 0)
  }

  // MARK: All

  @Test func theUsersOtherSessionsAreNotTouched() throws {
    for policy in SlowPolicy.allCases {
      var fixture = try fixture(policy)
      try fixture.live(2, session: "tablet")
      let deliveries = try fixture.deliver()
      let tablet = try #require(deliveries.first { $0.session.text == "tablet" })
      #expect(tablet.outcome == .delivered && tablet.slow == nil)
      #expect(deliveries.first { $0.session.text == "phone" }?.slow?.policy == policy)
    }
  }

  @Test func whatAClientIsToldAddsUpToWhatItLost() throws {
    var fixture = try fixture(.dropNewest)
    var (lost, told, waiting) = (0, 0, 3)
    func tell(_ count: UInt32, _ fixture: inout Fixture) {
      guard count > 0 else { return }
      told += Int(count)
      fixture.table.lossTold(1, frameBytes: 5)
    }
    for step in 0..<1_000 {
      let delivery = try #require(try fixture.deliver().first)
      if case .droppedNewest(_, let count) = delivery.slow {
        lost += 1
        tell(count, &fixture)
      } else {
        waiting += 1
      }
      if step % 7 == 0 { tell(fixture.table.bytesWritten(1, step % 200), &fixture) }
    }
    while fixture.table.counts.queuedBytes > 0 { tell(fixture.table.bytesWritten(1, 50), &fixture) }
    #expect(lost > 0 && waiting > 3)
    #expect(told == lost)
  }
}
