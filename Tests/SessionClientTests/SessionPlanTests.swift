import Testing

@testable import SessionClient

struct SessionPlanTests {
  private let stillDown = StreamEnd(code: 14, message: "still down")
  private let lost = StreamEnd(code: 14, message: "connection refused")

  @Test func theOwnerIsTriedFirstThenItsSuccessors() {
    var plan = SessionPlan(endpoints: ["a:1"], random: 0)
    #expect(plan.start(random: 0) == .locate(via: "a:1"))
    #expect(plan.located(["owner:1", "next:1"], random: 0) == .connect(to: "owner:1"))
    #expect(plan.connectFailed(lost, random: 0) == .connect(to: "next:1"))
  }

  @Test func everyEndpointIsAskedBeforeTheFirstWait() {
    var plan = SessionPlan(endpoints: ["a:1", "b:1"], random: 0.9)
    #expect(plan.start(random: 0) == .locate(via: "b:1"))
    #expect(plan.locateFailed(lost, random: 0) == .locate(via: "a:1"))
    #expect(plan.locateFailed(lost, random: 0.5) == .wait(.milliseconds(50)))
    #expect(plan.waited(random: 0) == .locate(via: "a:1"))
  }

  @Test func waitsGrowWithEachRoundThatFailed() {
    var plan = SessionPlan(endpoints: ["a:1"], backoff: Backoff(initial: .seconds(1), maximum: .seconds(5)), random: 0)
    var waits: [Duration] = []
    _ = plan.start(random: 1)
    for _ in 0..<5 {
      if case .wait(let pause) = plan.locateFailed(lost, random: 1) { waits.append(pause) }
      _ = plan.waited(random: 1)
    }
    #expect(waits == [1, 2, 4, 5, 5].map { .seconds($0) })
  }

  @Test func afterALossTheSuccessorsAreTriedAfterAMomentOfRandomLength() {
    var plan = welcomed()
    #expect(plan.streamEnded(lost, lasted: .seconds(60), random: 0.5) == .wait(.milliseconds(50)))
    #expect(plan.waited(random: 0) == .connect(to: "s1:1"))
    #expect(plan.connectFailed(lost, random: 0) == .connect(to: "s2:1"))
    #expect(plan.connectFailed(lost, random: 0) == .locate(via: "a:1"))
  }

  @Test func whereThePodSaysToGoComesFirst() {
    var plan = welcomed()
    let end = StreamEnd(code: 14, message: "leaving", reason: "leaving", endpoints: ["there:1", "s1:1"])
    _ = plan.streamEnded(end, lasted: .seconds(60), random: 0)
    #expect(plan.waited(random: 0) == .connect(to: "there:1"))
    #expect(plan.connectFailed(lost, random: 0) == .connect(to: "s1:1"))
    #expect(plan.connectFailed(lost, random: 0) == .connect(to: "s2:1"))
  }

  @Test func aFullPodSendsToItsSuccessors() {
    var plan = SessionPlan(endpoints: ["a:1"], random: 0)
    _ = plan.start(random: 0)
    _ = plan.located(["full:1"], random: 0)
    let full = StreamEnd(code: 8, message: "full", reason: "full", endpoints: ["next:1"])
    #expect(plan.connectFailed(full, random: 0) == .connect(to: "next:1"))
  }

  @Test func sessionsThatEndSoonAgainAndAgainWaitLonger() {
    var plan = welcomed()
    var waits: [Duration] = []
    for _ in 0..<3 {
      if case .wait(let pause) = plan.streamEnded(lost, lasted: .seconds(1), random: 1) { waits.append(pause) }
      _ = plan.waited(random: 1)
      plan.welcomed(successors: ["s1:1"])
    }
    #expect(waits == [200, 400, 800].map { .milliseconds($0) })
  }

  @Test func aTakeoverEndsTheSessionUnlessToldOtherwise() {
    let takeover = StreamEnd(code: 10, message: "", reason: "taken-over")
    var plan = welcomed()
    #expect(plan.streamEnded(takeover, lasted: .seconds(60), random: 0) == .end(.takenOver))
    var stubborn = SessionPlan(endpoints: ["a:1"], comesBackWhenTakenOver: true, random: 0)
    stubborn.welcomed(successors: ["s1:1"])
    #expect(stubborn.streamEnded(takeover, lasted: .seconds(60), random: 0) == .wait(.zero))
  }

  @Test(arguments: [3, 7, 12, 16])
  func aRequestThatEveryPodWouldRefuseIsNotRepeated(code: Int) {
    var plan = SessionPlan(endpoints: ["a:1"], random: 0)
    _ = plan.start(random: 0)
    _ = plan.located(["owner:1", "next:1"], random: 0)
    guard case .end(.refused) = plan.connectFailed(StreamEnd(code: code, message: "no"), random: 0) else {
      Issue.record("it went on")
      return
    }
  }

  @Test(arguments: [3, 7, 12, 16])
  func aRefusalToLocateIsFinalToo(code: Int) {
    var plan = SessionPlan(endpoints: ["a:1", "b:1"], random: 0)
    _ = plan.start(random: 0)
    let end = StreamEnd(code: code, message: "no")
    #expect(plan.locateFailed(end, random: 0) == .end(.refused(end.text)))
  }

  @Test func itGivesUpAfterTheRoundsItWasGivenWithTheLastProblem() {
    var plan = SessionPlan(endpoints: ["a:1"], maximumAttempts: 2, random: 0)
    _ = plan.start(random: 0)
    #expect(plan.locateFailed(lost, random: 0) == .wait(.zero))
    _ = plan.waited(random: 0)
    #expect(plan.locateFailed(stillDown, random: 0) == .end(.gaveUp(stillDown.text)))
  }

  @Test func withoutAskingForTheOwnerTheEndpointsAreTriedInOrder() {
    var plan = SessionPlan(endpoints: ["a:1", "b:1"], asksForOwner: false, random: 0.9)
    #expect(plan.start(random: 0) == .connect(to: "a:1"))
    #expect(plan.connectFailed(lost, random: 0) == .connect(to: "b:1"))
  }

  private func welcomed() -> SessionPlan {
    var plan = SessionPlan(endpoints: ["a:1"], random: 0)
    _ = plan.start(random: 0)
    _ = plan.located(["owner:1"], random: 0)
    plan.welcomed(successors: ["s1:1", "s2:1"])
    return plan
  }
}

struct BackoffTests {
  @Test func aPauseIsNeverLongerThanTheMaximumNorNegative() {
    let backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(10))
    for attempt in [0, 1, 5, 31, 64, 1_000_000] {
      for random in [-1, 0, 0.3, 1, 7] {
        let pause = backoff.pause(attempt: attempt, random: random)
        #expect(pause >= .zero && pause <= .seconds(10))
      }
    }
  }
}

struct RecentMessageIDsTests {
  @Test func aRepeatIsToldFromANewMessage() {
    #expect(taken(["a", "a", "b"], capacity: 10) == [true, false, true])
  }

  @Test func theOldestIsForgottenBeyondTheCapacity() {
    #expect(
      taken(["a", "b", "c", "d", "b", "d", "a"], capacity: 3) == [true, true, true, true, false, false, true])
  }

  @Test func messagesWithoutAnIDAreAllNew() {
    #expect(taken(["", ""], capacity: 3) == [true, true])
  }

  private func taken(_ ids: [String], capacity: Int) -> [Bool] {
    var recent = RecentMessageIDs(capacity: capacity)
    return ids.map { recent.insert($0) }
  }
}
