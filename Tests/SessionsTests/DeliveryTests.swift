import Sessions
import Testing

@Suite struct DeliveryTests {
  @Test func everySessionOfTheUserAndNobodyElseGetsIt() throws {
    var fixture = Fixture()
    try fixture.live(1, session: "phone")
    try fixture.live(2, session: "tablet")
    try fixture.live(3, user: "bob", session: "phone")
    let deliveries = try fixture.deliver()
    #expect(deliveries.map(\.stream) == [1, 2])
    #expect(deliveries.allSatisfy { $0.outcome == .delivered })
  }

  @Test func nothingIsDeliveredBeforeTheWelcome() throws {
    var fixture = Fixture()
    _ = fixture.hello(1)
    #expect(try fixture.deliver().isEmpty)
    #expect(try fixture.deliver(to: [("phone", 0)]).map(\.outcome) == [.gone])
  }

  @Test func aTargetMeansItsEpochOrALaterOne() throws {
    var fixture = Fixture()
    try fixture.live(1, epoch: 5)
    #expect(try fixture.deliver(to: [("phone", 4)]).map(\.outcome) == [.delivered])
    #expect(try fixture.deliver(to: [("phone", 5)]).map(\.outcome) == [.delivered])
    #expect(try fixture.deliver(to: [("phone", 6)]).map(\.outcome) == [.gone])
    #expect(try fixture.deliver(to: [("fridge", 1), ("phone", 1)]).map(\.outcome) == [.gone, .delivered])
  }

  @Test func aFullQueueIsSlowUntilItIsWritten() throws {
    var fixture = Fixture { $0.outboundBytes = 250 }
    try fixture.live(1)
    #expect(try fixture.deliver(bytes: 100).map(\.outcome) == [.delivered])
    #expect(try fixture.deliver(bytes: 100).map(\.outcome) == [.delivered])
    #expect(try fixture.deliver(bytes: 100).map(\.outcome) == [.slow])
    #expect(fixture.table.counts.queuedBytes == 200)
    fixture.table.bytesWritten(1, 100)
    #expect(try fixture.deliver(bytes: 100).map(\.outcome) == [.delivered])
  }

  @Test func aPayloadAboveTheLimitIsRefusedWhateverIsAroundIt() throws {
    var fixture = Fixture { $0.messageBytes = 100 }
    try fixture.live(1)
    #expect(try fixture.deliver(bytes: 36_000, payload: 100).map(\.outcome) == [.delivered])
    #expect(try fixture.deliver(bytes: 120, payload: 101).map(\.outcome) == [.refused])
  }

  @Test func whatIsAroundThePayloadIsBoundedToo() throws {
    var fixture = Fixture { $0.messageBytes = 100 }
    try fixture.live(1)
    #expect(try fixture.deliver(bytes: 100 + 65_536, payload: 100).map(\.outcome) == [.delivered])
    #expect(try fixture.deliver(bytes: 101 + 65_536, payload: 100).map(\.outcome) == [.refused])
  }

  @Test func anEmptyQueueTakesAnyAllowedMessage() throws {
    var fixture = Fixture { $0.outboundBytes = 10 }
    try fixture.live(1)
    #expect(try fixture.deliver(bytes: 100).map(\.outcome) == [.delivered])
    #expect(try fixture.deliver(bytes: 1).map(\.outcome) == [.slow])
  }

  @Test func whoDoesNotReadHasLessTheMoreWaitsInThePod() throws {
    var fixture = Fixture {
      $0.outboundBytes = 300
      $0.outboundTotalBytes = 8_000
    }
    var delivered: [Int] = []
    for stream in UInt64(1)...40 {
      let user = "user-\(stream)"
      try fixture.live(stream, user: user)
      var count = 0
      while try fixture.deliver(user: user).map(\.outcome) == [.delivered] { count += 1 }
      delivered.append(count)
    }
    // Its own limit; then a sixteenth of the rest; in the end the one message that an empty queue takes.
    #expect(delivered.first == 3 && delivered.last == 1)
    #expect(delivered == delivered.sorted(by: >))
    #expect(fixture.table.counts.queuedBytes <= 8_000)
    // What one gives back is there for another.
    for stream in UInt64(1)...20 { _ = fixture.table.streamClosed(StreamID(rawValue: stream)) }
    #expect(try fixture.deliver(user: "user-40").map(\.outcome) == [.delivered])
  }

  @Test func answersCountAgainstTheSameLimit() throws {
    var fixture = Fixture { $0.outboundBytes = 20 }
    try fixture.live(1)
    let answers = (0..<3).map { _ in fixture.table.answerQueued(1, bytes: 10) }
    #expect(answers == [true, true, false])
  }

  @Test func whatWasQueuedForAClosedStreamIsNotCountedAnyMore() throws {
    var fixture = Fixture()
    try fixture.live(1)
    fixture.table.noticeQueued(1, frameBytes: 40)
    _ = try fixture.deliver()
    _ = fixture.table.streamClosed(1)
    fixture.table.bytesWritten(1, 140)
    #expect(fixture.table.counts.queuedBytes == 0)
  }
}
