import Testing

@testable import RedisClient

@Suite struct InFlightQueueTests {
  let start = ContinuousClock.now

  func delivered(_ onReply: InFlightQueue<String>.OnReply) -> String? {
    if case .deliver(let call) = onReply { call } else { nil }
  }

  @Test func repliesGoToCallsInTheirOrderOneForEachCommand() {
    var queue = InFlightQueue<String>(limit: 10)
    queue.added("a", replies: 1, deadline: start)
    queue.added("b", replies: 3, deadline: start)
    queue.added("c", replies: 1, deadline: start)
    #expect((0..<5).map { _ in delivered(queue.replyReceived()) } == ["a", "b", "b", "b", "c"])
    #expect(delivered(queue.replyReceived()) == nil)
    #expect(queue.count == 0)
  }

  @Test func theBoundCountsCommandsNotCalls() {
    var queue = InFlightQueue<String>(limit: 3)
    queue.added("a", replies: 2, deadline: start)
    #expect(queue.hasRoom(for: 1) && !queue.hasRoom(for: 2))
    _ = queue.replyReceived()
    #expect(queue.hasRoom(for: 2) && !queue.hasRoom(for: 3))
  }

  @Test func theOldestCallPastItsDeadlineGivesTheConnectionUp() {
    var queue = InFlightQueue<String>(limit: 3)
    queue.added("a", replies: 1, deadline: start + .seconds(1))
    queue.added("b", replies: 1, deadline: start + .seconds(2))
    #expect(queue.timerFired(now: start) == .nothingDue)
    #expect(queue.timerFired(now: start + .seconds(1)) == .giveUp)
    _ = queue.replyReceived()
    #expect(queue.earliestDeadline == start + .seconds(2))
    #expect(queue.timerFired(now: start + .seconds(1)) == .nothingDue)
  }

  @Test func aLostConnectionGivesBackWhatIsUnanswered() {
    var queue = InFlightQueue<String>(limit: 9)
    for name in ["a", "b", "c"] { queue.added(name, replies: 2, deadline: start) }
    for _ in 0..<3 { _ = queue.replyReceived() }
    #expect(queue.connectionClosed() == ["b", "c"])
    #expect(queue.count == 0)
    #expect(queue.connectionClosed().isEmpty)
  }
}
