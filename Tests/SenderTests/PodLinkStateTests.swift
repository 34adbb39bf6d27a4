import Routing
import Sessions
import Synchronization
import Testing
import Wire

@testable import Sender

@Suite struct PodLinkStateTests {
  let now = ContinuousClock.now

  func link(calls: Int = 100, queuedBytes: Int = 100_000, batchCalls: Int = 10, batchBytes: Int = 1000) -> PodLinkState
  {
    PodLinkState(
      podID: "pod-1",
      limits: .init(calls: calls, queuedBytes: queuedBytes, batchCalls: batchCalls, batchBytes: batchBytes))
  }

  func call(_ message: OutboundMessage = OutboundMessage(id: "m", payload: [], headers: [:])) throws -> PodCall {
    PodCall(message: message, user: try UserID("ann"), targets: .allSessions) { _ in }
  }

  func isQueued(_ submission: PodLinkState.Submission) -> Bool {
    if case .queued = submission { true } else { false }
  }

  @Test func callsWaitForTheFirstAttempt() throws {
    var link = link()
    let submission1 = link.submit(try call())
    #expect(isQueued(submission1))
    #expect(link.takeBatch(now: now) == nil)
    link.connected()
    #expect(link.takeBatch(now: now)?.requests.count == 1)
  }

  @Test func afterAFailedAttemptCallsFailAtOnceUntilOneSucceeds() throws {
    var link = link()
    _ = link.submit(try call())
    let failed = link.failed("connection refused", retriesAtOnce: false)
    #expect(failed.count == 1 && failed.allSatisfy { !$0.1.mayHaveArrived })
    guard case .failed(let failure) = link.submit(try call()) else {
      Issue.record("the call waits for a dead pod")
      return
    }
    #expect(failure.kind == .unreachable && failure.detail.contains("connection refused"))
    link.connected()
    let submission2 = link.submit(try call())
    #expect(isQueued(submission2))
  }

  @Test func aLostConnectionTellsSentCallsFromUnsentOnes() throws {
    var link = link(batchCalls: 1)
    link.connected()
    for _ in 0..<2 { _ = link.submit(try call()) }
    _ = link.takeBatch(now: now)
    #expect(link.failed("reset", retriesAtOnce: true).map(\.1.mayHaveArrived) == [true, false])
    // The first attempt after that is waited for.
    let submission3 = link.submit(try call())
    #expect(isQueued(submission3))
  }

  @Test func aConnectionThatEndedAsSoonAsItWasThereIsNotWaitedForAgain() throws {
    var link = link()
    link.connected()
    _ = link.failed("unimplemented", retriesAtOnce: false)
    let submission = link.submit(try call())
    #expect(!isQueued(submission))
  }

  @Test func aFrameIsBoundedInCallsAndInBytes() throws {
    var link = link(batchCalls: 3, batchBytes: 1000)
    link.connected()
    for _ in 0..<5 { _ = link.submit(try call()) }
    #expect(link.takeBatch(now: now)?.requests.count == 3)
    #expect(link.takeBatch(now: now)?.requests.count == 2)
    for _ in 0..<3 {
      _ = link.submit(try call(OutboundMessage(id: "m", payload: .init(repeating: 0, count: 600), headers: [:])))
    }
    for _ in 0..<3 { #expect(link.takeBatch(now: now)?.requests.count == 1) }
    #expect(link.takeBatch(now: now) == nil)
  }

  @Test func aSharedMessageIsInAFrameOnce() throws {
    var link = link()
    link.connected()
    let shared = OutboundMessage(id: "shared", payload: .init(repeating: 0, count: 900), headers: [:])
    for _ in 0..<4 { _ = link.submit(try call(shared)) }
    let batch = link.takeBatch(now: now)
    #expect(batch?.messages.count == 1)
    #expect(batch?.requests.map(\.messageIndex) == [0, 0, 0, 0])
  }

  @Test func theQueueIsBoundedInCallsAndInBytes() throws {
    var few = link(calls: 2)
    for _ in 0..<2 {
      let submission = few.submit(try call())
      #expect(isQueued(submission))
    }
    let submission5 = few.submit(try call())
    #expect(!isQueued(submission5))
    var small = link(queuedBytes: 100)
    let large = OutboundMessage(id: "m", payload: .init(repeating: 0, count: 200), headers: [:])
    let submission6 = small.submit(try call(large))
    #expect(isQueued(submission6))
    let submission7 = small.submit(try call(large))
    #expect(!isQueued(submission7))
  }

  @Test func aCancelledCallIsNotSentAndACancelledAnswerIsDropped() throws {
    var link = link()
    link.connected()
    guard case .queued(let first) = link.submit(try call()), case .queued(let second) = link.submit(try call()) else {
      Issue.record("not queued")
      return
    }
    link.cancel(first)
    #expect(link.takeBatch(now: now)?.requests.map(\.correlation) == [second])
    link.cancel(second)
    #expect(link.answered(second, now: now) == nil)
  }

  @Test func aPodThatOwesAnswersStallsUnlessItGivesSome() throws {
    var link = link()
    link.connected()
    guard case .queued(let first) = link.submit(try call()), case .queued = link.submit(try call()) else { return }
    #expect(!link.isStalled(now: now + .seconds(9), limit: .seconds(3)))
    _ = link.takeBatch(now: now)
    #expect(!link.isStalled(now: now + .seconds(2), limit: .seconds(3)))
    #expect(link.isStalled(now: now + .seconds(4), limit: .seconds(3)))
    _ = link.answered(first, now: now + .seconds(4))
    #expect(!link.isStalled(now: now + .seconds(6), limit: .seconds(3)))
    #expect(link.isStalled(now: now + .seconds(8), limit: .seconds(3)))
  }

  @Test func aClosedLinkTakesNothing() throws {
    var link = link()
    _ = link.submit(try call())
    #expect(link.close().count == 1)
    link.connected()
    let submission8 = link.submit(try call())
    #expect(!isQueued(submission8))
  }
}
