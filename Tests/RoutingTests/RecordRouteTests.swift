import Placement
import Routing
import Sessions
import Testing

/// Strategy directory, and what all strategies do with records.
@Suite struct RecordRouteTests {
  let window: Window

  init() throws { window = try RoutingTests.window(1...3) }

  func directory(grouping: Bool = true, target: RouteTarget = .allSessions) -> RouteDriver {
    RouteDriver(.directory, grouping: grouping, target: target, userHash: 1, window)
  }

  @Test func threeSessionsOnTwoPodsCostTwoCallsGroupedAndThreeUngrouped() throws {
    let records = [try record("desk", at: 1), try record("phone", at: 2), try record("tv", at: 2)]
    var grouped = directory()
    #expect(grouped.wants == ["read"])
    grouped.handle(.recordsRead(records))
    #expect(grouped.wants == ["deliver pod-1 desk@1", "deliver pod-2 phone@1 tv@1"])
    var ungrouped = directory(grouping: false)
    ungrouped.handle(.recordsRead(records))
    #expect(ungrouped.wants == ["deliver pod-1 desk@1", "deliver pod-2 phone@1", "deliver pod-2 tv@1"])
  }

  /// The benchmark harness found messages that came twice.
  @Test func whatAPodNamesThatTheRecordsLedToIsNotAskedAgain() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2)]))
    push.answer(member(1), [try outcome("desk")], strays: [member(2).incarnation])
    push.answer(member(2), [try outcome("phone")])
    #expect(push.wants == ["finish"])
    #expect(push.result?.completeness == .complete && push.result?.deliverRPCs == 2)
  }

  /// The same to Swift's strings.
  @Test func sessionsWhoseNamesLookAlikeHaveAnOutcomeEach() throws {
    var push = directory()
    push.handle(.recordsRead([try record("caf\u{e9}", at: 1), try record("cafe\u{301}", at: 2)]))
    push.answer(member(1), [try outcome("caf\u{e9}")])
    push.answer(member(2), [try outcome("cafe\u{301}")])
    #expect(push.result?.completeness == .complete)
    #expect(push.result?.results.map(\.podID).sorted() == ["pod-1", "pod-2"])
  }

  @Test func aUserWithoutRecordsIsCompleteAndEmpty() throws {
    var push = directory()
    push.handle(.recordsRead([]))
    #expect(push.result?.results == [])
    #expect(push.result?.completeness == .complete && push.result?.deliverRPCs == 0)
  }

  @Test func aRecordOfADeadIncarnationIsVoid() throws {
    // Member 2 of four has left.
    let view = try view([member(1), member(3), member(4)])
    var push = RouteDriver(.directory, userHash: 1, Window(settled: view, current: view))
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2)]))
    #expect(push.wants == ["deliver pod-1 desk@1"])
    push.answer(member(1), [try outcome("desk")])
    #expect(push.outcomes == ["desk pod-1 delivered"])
    #expect(push.result?.completeness == .complete)
  }

  @Test func aPodInGraceIsStillCalled() throws {
    let view = try view([member(1), member(2, .grace)])
    var push = RouteDriver(.directory, userHash: 1, Window(settled: view, current: view))
    push.handle(.recordsRead([try record("phone", at: 2)]))
    #expect(push.wants == ["deliver pod-2 phone@1"])
  }

  @Test func aRecordNewerThanTheViewRefreshesItFirst() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 4)]))
    #expect(push.wants == ["refresh"])
    push.handle(.viewRefreshed(try RoutingTests.window(1...4, version: 11)))
    #expect(push.wants == ["deliver pod-1 desk@1", "deliver pod-4 phone@1"])
    #expect(push.route.newestWindow.current.stamp.version == 11)
  }

  @Test func aRecordOfNoPodEvenInTheRefreshedViewIsVoid() throws {
    var push = directory()
    push.handle(.recordsRead([try record("phone", at: 4)]))
    push.handle(.viewRefreshed(window))
    #expect(push.result?.results == [])
  }

  @Test func whenTheViewCannotBeRefreshedItsSessionsAreUnreachable() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 4)]))
    push.handle(.viewRefreshed(nil))
    push.answer(member(1), [try outcome("desk")])
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-4 unreachable"])
    #expect(push.result?.completeness == .unknown)
  }

  @Test func aSessionThatMovedIsFollowed() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1, epoch: 1)]))
    push.answer(member(1), [try outcome("desk", .gone)])
    #expect(push.wants == ["read"])
    push.handle(.recordsRead([try record("desk", at: 2, epoch: 2)]))
    #expect(push.wants == ["deliver pod-2 desk@2"])
    push.answer(member(2), [try outcome("desk", epoch: 2)])
    #expect(push.outcomes == ["desk pod-2 delivered"])
    #expect(push.result?.completeness == .complete)
    #expect(push.result?.registryReads == 2)
  }

  @Test func aSessionThatEndedIsGoneAfterOneMoreRead() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1)]))
    push.answer(member(1), [try outcome("desk", .gone)])
    push.handle(.recordsRead([]))
    #expect(push.outcomes == ["desk pod-1 gone"])
    #expect(push.result?.completeness == .complete)
  }

  @Test func anUnchangedRecordIsNotCalledTwice() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1)]))
    push.answer(member(1), [try outcome("desk", .gone)])
    push.handle(.recordsRead([try record("desk", at: 1)]))
    #expect(push.outcomes == ["desk pod-1 gone"])
    #expect(push.result?.deliverRPCs == 1)
  }

  @Test func aSessionThatKeepsMovingIsFollowedABoundedNumberOfTimes() throws {
    var push = directory()
    var epoch: UInt64 = 1
    while push.result == nil, epoch < 20 {
      let pod = Int(epoch % 3) + 1
      push.handle(.recordsRead([try record("desk", at: pod, epoch: epoch)]))
      push.answer(member(pod), [try outcome("desk", .gone)])
      epoch += 1
    }
    let result = try #require(push.result)
    #expect(result.registryReads == 4 && result.deliverRPCs == 4)
    #expect(result.completeness == .unknown)
    #expect(result.results.map(\.outcome) == [.gone])
  }

  @Test func aSessionLeavingADyingPodIsFoundAgain() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1, epoch: 1)]))
    push.fail(member(1))
    #expect(push.wants == ["read"])
    push.handle(.recordsRead([try record("desk", at: 2, epoch: 2)]))
    push.answer(member(2), [try outcome("desk", epoch: 2)])
    #expect(push.outcomes == ["desk pod-2 delivered"])
    #expect(push.result?.completeness == .complete)
  }

  @Test func aDeadPodsSessionsAreUnreachable() throws {
    var push = directory()
    let records = [try record("desk", at: 1), try record("phone", at: 1), try record("tv", at: 2)]
    push.handle(.recordsRead(records))
    push.fail(member(1))
    push.answer(member(2), [try outcome("tv")])
    push.handle(.recordsRead(records))
    #expect(push.outcomes == ["desk pod-1 unreachable", "phone pod-1 unreachable", "tv pod-2 delivered"])
    #expect(push.result?.completeness == .unknown)
  }

  @Test func aCallThatAPodRefusesIsTheOutcomeOfItsSessions() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1)]))
    push.fail(member(1), .refused)
    #expect(push.outcomes == ["desk pod-1 refused"])
    #expect(push.result?.registryReads == 1)
  }

  @Test func aSessionLeftOutOfAnAnswerDoesNotCountAsDelivered() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 1)]))
    push.answer(member(1), [try outcome("desk")])
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-1 unreachable"])
    #expect(push.result?.completeness == .unknown)
  }

  @Test func whenTheTimeIsUpWhatIsOpenIsUnreachable() throws {
    var push = directory()
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2)]))
    push.answer(member(1), [try outcome("desk")])
    push.handle(.deadline)
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-2 unreachable"])
    #expect(push.result?.completeness == .unknown)
    push.handle(.recordsRead([]))
    #expect(push.directives.isEmpty)
  }

  // MARK: One session

  @Test func aPushToOneSessionCallsOnlyItsPod() throws {
    var push = directory(target: .session(try session("phone")))
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2, epoch: 5)]))
    #expect(push.wants == ["deliver pod-2 phone@5"])
    push.answer(member(2), [try outcome("phone", epoch: 5)])
    #expect(push.outcomes == ["phone pod-2 delivered"])
  }

  @Test func aPushToASessionThatIsNotThereSaysGone() throws {
    var push = directory(target: .session(try session("phone")))
    push.handle(.recordsRead([try record("desk", at: 1)]))
    #expect(push.outcomes == ["phone  gone"])
  }

  @Test func onTheRingAPushToOneSessionAsksTheOwnerForThatOne() throws {
    let hash = try window.hash(ownedBy: 2)
    var push = RouteDriver(.ring, target: .session(try session("phone")), userHash: hash, window)
    #expect(push.wants == ["deliver pod-2 phone@0"])
    push.answer(member(2), [try outcome("phone", epoch: 5)])
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2, epoch: 5)]))
    #expect(push.outcomes == ["phone pod-2 delivered"])
    #expect(push.result?.deliverRPCs == 1)
  }

  @Test func aSessionThatIsNotAtItsOwnerIsFoundByItsRecord() throws {
    let hash = try window.hash(ownedBy: 2)
    var push = RouteDriver(.ring, target: .session(try session("phone")), userHash: hash, window)
    push.answer(member(2), [try outcome("phone", .gone)])
    push.handle(.recordsRead([try record("phone", at: 3, epoch: 5)]))
    #expect(push.wants == ["deliver pod-3 phone@5"])
    push.answer(member(3), [try outcome("phone", epoch: 5)])
    #expect(push.outcomes == ["phone pod-3 delivered"])
  }

  @Test func twoProcessesWithOnePodIDAreCalledApart() throws {
    let twin = Member(
      incarnation: Incarnation(rawValue: 9), description: member(1).description, state: .active, since: 1)
    let view = try view([member(1), twin])
    var push = RouteDriver(.directory, userHash: 1, Window(settled: view, current: view))
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 9)]))
    #expect(push.wants == ["deliver pod-1 desk@1", "deliver pod-1 phone@1"])
  }
}
