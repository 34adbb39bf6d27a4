import Synchronization
import TestServers
import Testing

@testable import RedisClient

@Suite struct SubscriptionStateMachineTests {
  func push(_ parts: String...) -> RedisValue { .array(parts.map { .bulk(Array($0.utf8)) }) }

  func confirmation(_ channel: String, _ count: Int64) -> RedisValue {
    .array([.bulk(Array("subscribe".utf8)), .bulk(Array(channel.utf8)), .integer(count)])
  }

  @Test func itIsSubscribedWhenEveryChannelIsConfirmed() {
    var machine = SubscriptionStateMachine(channelCount: 2)
    #expect(machine.replyReceived(confirmation("a", 1)) == .nothing)
    #expect(machine.replyReceived(confirmation("b", 2)) == .subscribed)
    #expect(machine.replyReceived(push("message", "a", "x")) == .message(channel: "a", payload: Array("x".utf8)))
  }

  @Test func silenceLeadsToAPingAndThenToTheEnd() {
    var machine = SubscriptionStateMachine(channelCount: 1)
    #expect(machine.intervalPassed() == .nothing)
    #expect(machine.intervalPassed() == .sendPing)
    guard case .giveUp(let reason) = machine.intervalPassed() else {
      Issue.record("not given up")
      return
    }
    #expect(reason.code == .timeout)
  }

  @Test func anAnswerToThePingIsASignOfLife() {
    var machine = SubscriptionStateMachine(channelCount: 1)
    for _ in 0..<5 {
      _ = machine.intervalPassed()
      #expect(machine.intervalPassed() == .sendPing)
      #expect(machine.replyReceived(push("pong", "")) == .nothing)
    }
  }

  @Test(arguments: [RedisValue.integer(1), .array([]), .array([.integer(1)]), .error("NOPERM channel")])
  func anythingElseEndsTheConnection(_ value: RedisValue) {
    var machine = SubscriptionStateMachine(channelCount: 1)
    guard case .giveUp = machine.replyReceived(value) else {
      Issue.record("not given up")
      return
    }
  }
}

@Suite struct SubscriptionBufferTests {
  func message(_ number: Int) -> RedisSubscriptionEvent { .message(channel: "c", payload: [UInt8(number)]) }

  @Test func eventsComeOutInOrderAndThenTheEnd() async {
    let buffer = SubscriptionBuffer(limit: 10)
    for number in 0..<3 { buffer.append(message(number)) }
    buffer.finish()
    for number in 0..<3 { #expect(await buffer.next() == message(number)) }
    #expect(await buffer.next() == nil)
  }

  @Test func aSlowConsumerIsToldToReadAfreshInsteadOfWhatItMissed() async {
    let buffer = SubscriptionBuffer(limit: 3)
    for number in 0..<4 { buffer.append(message(number)) }
    buffer.append(message(9))
    #expect(await buffer.next() == .subscribed)
    #expect(await buffer.next() == message(9))
  }

  @Test func aWaitingConsumerGetsTheNextEventAndACancelledOneTheEnd() async throws {
    let buffer = SubscriptionBuffer(limit: 3)
    async let first = buffer.next()
    buffer.append(message(1))
    #expect(await first == message(1))
    let ended = Mutex(false)
    async let second: RedisSubscriptionEvent? = {
      defer { ended.withLock { $0 = true } }
      return await buffer.next()
    }()
    // Repeated, as it does nothing before the consumer waits.
    try await eventually("the consumer is let go") {
      buffer.cancelConsumer()
      return ended.withLock { $0 }
    }
    #expect(await second == nil)
  }
}
