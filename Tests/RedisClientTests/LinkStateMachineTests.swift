import Testing

@testable import RedisClient

@Suite struct LinkStateMachineTests {
  static let start = ContinuousClock.now
  let refused = RedisError(code: .unavailable, message: "connection refused", mayHaveRun: false)

  func machine() -> LinkStateMachine {
    LinkStateMachine(initialBackoff: .milliseconds(50), maximumBackoff: .seconds(1))
  }

  func at(_ seconds: Double) -> ContinuousClock.Instant { Self.start + .seconds(seconds) }

  @Test func commandsWaitBeforeAndDuringTheFirstAttempt() {
    var machine = machine()
    #expect(machine.admission(now: at(0)) == .wait)
    machine.connectStarted()
    #expect(machine.admission(now: at(0)) == .wait)
    machine.connectionMade()
    #expect(machine.admission(now: at(0)) == .wait)
    machine.greeted(now: at(1))
    #expect(machine.admission(now: at(1)) == .send)
  }

  @Test func afterTheFirstFailureCommandsAreRefusedWithSinceWhenAndWhy() {
    var machine = machine()
    machine.connectStarted()
    _ = machine.connectionLost(refused, now: at(0), random: 0)
    for _ in 0..<2 {
      guard case .refuse(.unavailable, let text) = machine.admission(now: at(3.2)) else {
        Issue.record("not refused")
        return
      }
      #expect(text.contains("3.2 s") && text.contains("connection refused"))
      machine.connectStarted()
    }
  }

  @Test func aWrongPasswordIsToldAsSuchWhileItIsRetried() {
    var machine = machine()
    machine.connectStarted()
    machine.connectionMade()
    let error = RedisError(code: .authentication, message: "AUTH: WRONGPASS", mayHaveRun: false)
    _ = machine.connectionLost(error, now: at(0), random: 0)
    #expect(machine.admission(now: at(1)) == .refuse(.authentication, "AUTH: WRONGPASS (for 1.0 s)"))
  }

  @Test func theBackOffDoublesUpToItsMaximumWithinHalfAndAll() {
    var all = machine()
    var half = machine()
    var waits: [Duration] = []
    for _ in 0..<70 {
      let longest = all.connectionLost(refused, now: at(0), random: 1).retryAfter
      #expect(half.connectionLost(refused, now: at(0), random: 0).retryAfter == longest / 2)
      waits.append(longest)
    }
    #expect(waits[..<6] == [50, 100, 200, 400, 800, 1000].map { .milliseconds($0) }[...])
    #expect(waits[6...].allSatisfy { $0 == .seconds(1) })
  }

  @Test func aServerThatHangsUpAtOnceIsRetriedMoreAndMoreSlowly() {
    var machine = machine()
    for expected in [50, 100, 200] {
      machine.connectStarted()
      machine.connectionMade()
      machine.greeted(now: at(0))
      #expect(machine.connectionLost(refused, now: at(0.1), random: 1).retryAfter == .milliseconds(expected))
    }
  }

  @Test func aConnectionThatLastedResetsTheBackOff() {
    var machine = machine()
    for _ in 0..<5 { _ = machine.connectionLost(refused, now: at(0), random: 1) }
    machine.greeted(now: at(1))
    #expect(machine.connectionLost(refused, now: at(2), random: 1).retryAfter == .milliseconds(50))
  }

  @Test func onlyTheFirstLossOfAnOutageIsLoud() {
    var machine = machine()
    #expect(machine.connectionLost(refused, now: at(0), random: 0).isFirst)
    #expect(!machine.connectionLost(refused, now: at(1), random: 0).isFirst)
    machine.greeted(now: at(2))
    #expect(machine.connectionLost(refused, now: at(3), random: 0).isFirst)
  }

  @Test func whenStoppedEverythingIsRefused() {
    var machine = machine()
    machine.greeted(now: at(0))
    machine.stopped()
    guard case .refuse(.unavailable, _) = machine.admission(now: at(0)) else {
      Issue.record("not refused")
      return
    }
  }
}
