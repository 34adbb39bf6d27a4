import Placement
import Routing
import Sessions
import Testing

/// The registry does not answer; and modulo, which never asks it.
@Suite struct ScatterRouteTests {
  let window: Window
  let hash: UInt64

  init() throws {
    window = try RoutingTests.window(1...4)
    hash = try window.hash(ownedBy: 1)
  }

  @Test func withoutTheRegistryAllOtherPodsAreAsked() throws {
    var push = RouteDriver(.ring, userHash: hash, window)
    push.answer(member(1), [try outcome("desk")])
    push.handle(.recordsFailed("redis is away"))
    #expect(push.wants == ["deliver pod-2 *", "deliver pod-3 *", "deliver pod-4 *"])
    push.answer(member(2), [])
    push.answer(member(3), [try outcome("phone")])
    push.answer(member(4), [])
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-3 delivered"])
    let result = try #require(push.result)
    #expect(result.route == .scatter && result.completeness == .unknown)
    #expect(result.deliverRPCs == 4 && result.registryReads == 1)
    #expect(result.reason.contains("redis is away"))
  }

  @Test func aScatterKeepsABoundedNumberOfCallsInFlight() throws {
    var push = RouteDriver(.directory, userHash: hash, window, scatterConcurrency: 2)
    push.handle(.recordsFailed("redis is away"))
    #expect(push.wants == ["deliver pod-1 *", "deliver pod-2 *"])
    push.answer(member(2), [])
    #expect(push.wants == ["deliver pod-3 *"])
    push.fail(member(1))
    #expect(push.wants == ["deliver pod-4 *"])
    push.answer(member(3), [])
    push.answer(member(4), [])
    #expect(push.result?.deliverRPCs == 4)
  }

  @Test func anOwnerThatFailedIsNotAskedAgainByTheScatter() throws {
    var push = RouteDriver(.ring, userHash: hash, window)
    push.fail(member(1))
    push.handle(.recordsFailed("redis is away"))
    #expect(push.wants == ["deliver pod-2 *", "deliver pod-3 *", "deliver pod-4 *"])
  }

  @Test func aSessionFoundTwiceIsListedOnceByItsLatestEpoch() throws {
    var push = RouteDriver(.directory, userHash: hash, window)
    push.handle(.recordsFailed("redis is away"))
    push.answer(member(1), [try outcome("desk", epoch: 4)])
    push.answer(member(2), [try outcome("desk", .slow, epoch: 6)])
    push.answer(member(3), [try outcome("desk", epoch: 5)])
    push.answer(member(4), [])
    #expect(push.outcomes == ["desk pod-2 slow"])
  }

  @Test func aScatterForOneSessionFindsItAmongThoseThatDoNotHaveIt() throws {
    var push = RouteDriver(.directory, target: .session(try session("desk")), userHash: hash, window)
    push.handle(.recordsFailed("redis is away"))
    push.answer(member(1), [try outcome("desk", .gone)])
    push.answer(member(2), [try outcome("desk", epoch: 6)])
    push.answer(member(3), [try outcome("desk", .gone)])
    push.answer(member(4), [try outcome("desk", .gone)])
    #expect(push.outcomes == ["desk pod-2 delivered"])
  }

  @Test func anUnreachablePodHidesBehindNoOthersGone() throws {
    var push = RouteDriver(.directory, target: .session(try session("desk")), userHash: hash, window)
    push.handle(.recordsFailed("redis is away"))
    push.fail(member(1))
    for pod in 2...4 { push.answer(member(pod), [try outcome("desk", .gone)]) }
    #expect(push.outcomes == ["desk pod-1 unreachable"])
  }

  @Test func whenTheRegistryFailsOnASecondReadTheOthersAreAsked() throws {
    var push = RouteDriver(.directory, userHash: hash, window)
    push.handle(.recordsRead([try record("desk", at: 1)]))
    push.answer(member(1), [try outcome("desk", .gone)])
    push.handle(.recordsFailed("redis is away"))
    #expect(push.wants.contains("deliver pod-2 *"))
  }

  @Test func moduloAsksOnePodAndPromisesNothing() throws {
    // Four active members, in the order of their pod ids.
    var push = RouteDriver(.modulo, userHash: 6, window)
    #expect(push.wants == ["deliver pod-3 *"])
    push.answer(member(3), [try outcome("desk")], complete: true)
    #expect(push.outcomes == ["desk pod-3 delivered"])
    let result = try #require(push.result)
    #expect(result.route == .modulo && result.completeness == .unknown && result.registryReads == 0)
  }

  @Test func moduloWithoutAnActivePodReachesNobody() throws {
    let view = try view([member(1, .grace)])
    let push = RouteDriver(.modulo, userHash: 6, Window(settled: view, current: view))
    #expect(push.result?.deliverRPCs == 0 && push.result?.completeness == .unknown)
  }

  @Test func whereNoPodHoldsALeaseAllAreAskedAtOnce() throws {
    let lapsed = try view([member(1, .grace), member(2, .grace)])
    let push = RouteDriver(userHash: 7, Window(settled: lapsed, current: lapsed))
    #expect(push.wants == ["deliver pod-1 *", "deliver pod-2 *"])
  }
}
