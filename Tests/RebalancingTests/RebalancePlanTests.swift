import Placement
import Rebalancing
import Testing

private func member(_ number: UInt64, _ state: MemberState = .active) -> Member {
  Member(
    incarnation: Incarnation(rawValue: number),
    description: MemberDescription(podID: "pod-\(number)", endpoint: "h:\(number)", peerEndpoint: "p:\(number)"),
    state: state, since: 1)
}

private func owner(
  _ number: UInt64, _ sessions: Int, movable: Int? = nil, olderThanOwner: Int = 0
) -> RebalancePlan.Holding.Owner {
  .init(podID: "pod-\(number)", sessions: sessions, movable: movable ?? sessions, olderThanOwner: olderThanOwner)
}

@Suite struct RebalancePlanTests {
  private func plan(
    _ holdings: [RebalancePlan.Holding], silent: [String] = [], _ change: (inout RebalanceParameters) -> Void = { _ in }
  ) throws -> RebalancePlan {
    var parameters = RebalanceParameters()
    change(&parameters)
    let view = try View(
      stamp: ViewStamp(version: 7, digest: 0xabc), members: holdings.map(\.member), tokensPerWeight: 8)
    return RebalancePlan(cluster: "test", view: view, holdings: holdings, silent: silent, parameters: parameters)
  }

  /// A fourth pod has joined three.
  private let scaledOut: [RebalancePlan.Holding] = [
    .init(member: member(1), limit: 0, owners: [owner(1, 700), owner(4, 300, olderThanOwner: 300)]),
    .init(member: member(2), limit: 0, owners: [owner(2, 800), owner(4, 200, olderThanOwner: 150)]),
    .init(member: member(4), limit: 0, owners: []),
  ]

  @Test func straysGoToTheirOwnersAndTheRestStays() throws {
    let plan = try plan(scaledOut)
    #expect(plan.pods.map(\.after) == [700, 800, 500])
    #expect(plan.flows.map(\.planned) == [300, 200])
    #expect(plan.flows.map(\.from) == ["pod-1", "pod-2"])
    #expect(plan.sources.map(\.planned) == [300, 200])
    #expect((plan.planned, plan.strays) == (500, 500))
    #expect((plan.version, plan.digest) == (7, "abc"))
  }

  @Test func aPlanThatCanNotBeCarriedOutIsRefused() throws {
    let view = try View(
      stamp: ViewStamp(version: 7, digest: 0xabc), members: scaledOut.map(\.member), tokensPerWeight: 8)
    try plan(scaledOut).check(in: view)
    for change: (inout RebalanceParameters) -> Void in [
      { $0.rate = 1e300 }, { $0.rate = -10 }, { $0.rate = .nan }, { $0.concurrency = .max }, { $0.maximumMoves = -1 },
      { $0.moveDeadlineMilliseconds = 0 },
    ] {
      let plan = try plan(scaledOut, change)
      #expect(throws: InvalidRebalance.self) { try plan.check(in: view) }
    }
    let smaller = try View(
      stamp: ViewStamp(version: 7, digest: 0xabc), members: [member(1), member(2)], tokensPerWeight: 8)
    #expect(throws: InvalidRebalance.self) { try plan(scaledOut).check(in: smaller) }
  }

  /// Pods read them from the registry, where anything may stand.
  @Test func limitsThatMakeNoSenseDoNoHarm() {
    for rate in [1e300, .infinity, .nan, -5] {
      var mover = Mover(limits: MoveLimits(rate: rate, concurrency: -1))
      #expect(mover.budget(now: .seconds(100)) == 0)
      mover.limit(MoveLimits(rate: rate), now: .seconds(100))
      #expect((0...256).contains(mover.budget(now: .seconds(200))))
    }
  }

  @Test func itSaysWhySessionsAreAstray() throws {
    let plan = try plan(scaledOut)
    #expect(plan.flows[0].causes == [.init(cause: .ringChanged, sessions: 300)])
    #expect(
      plan.flows[1].causes == [
        .init(cause: .ringChanged, sessions: 150), .init(cause: .connectedElsewhere, sessions: 50),
      ])
    let cordoned = RebalancePlan.Holding(member: member(3, .cordoned), limit: 0, owners: [owner(1, 9)])
    #expect(try self.plan([cordoned]).flows[0].causes == [.init(cause: .podOutOfRing, sessions: 9)])
  }

  @Test func whatIsAtHomeIsNoReasonToDoAnything() throws {
    let plan = try plan([.init(member: member(1), limit: 0, owners: [owner(1, 700)])], silent: ["pod-9", "pod-3"])
    #expect(plan.flows.isEmpty && plan.planned == 0 && plan.sources.isEmpty)
    #expect(plan.reconnectsPerSecond == 0 && plan.expectedSeconds == 0)
    #expect(plan.silent == ["pod-3", "pod-9"])
  }

  @Test func anOwnerIsNotFilledBeyondItsLimit() throws {
    var holdings = scaledOut
    holdings[2] = .init(member: member(4), limit: 350, owners: [])
    let plan = try plan(holdings)
    #expect(plan.pods.last?.after == 350)
    #expect(plan.flows.map(\.planned) == [300, 50])
    #expect(plan.flows[1].staying == [RebalancePlan.Staying(reason: .ownerFull, sessions: 150)])
    #expect(plan.strays == 500)
  }

  @Test func clientsThatCannotMoveStayUnlessTheyAreForced() throws {
    let holdings: [RebalancePlan.Holding] = [
      .init(member: member(1), limit: 0, owners: [owner(2, 100, movable: 60)]),
      .init(member: member(2), limit: 0, owners: []),
    ]
    let gentle = try plan(holdings)
    #expect(gentle.planned == 60)
    #expect(gentle.flows[0].staying == [RebalancePlan.Staying(reason: .clientCannotMove, sessions: 40)])
    let forced = try plan(holdings) { $0.force = true }
    #expect(forced.planned == 100 && forced.flows[0].staying.isEmpty)
  }

  @Test func aLimitOnMovesServesTheLargestFlowsFirst() throws {
    let plan = try plan(scaledOut) { $0.maximumMoves = 350 }
    #expect(plan.flows.map(\.planned) == [300, 50])
    #expect(plan.flows[1].staying == [RebalancePlan.Staying(reason: .beyondLimit, sessions: 150)])
  }

  @Test func onlyThePodThatWasAskedForIsASource() throws {
    let plan = try plan(scaledOut) { $0.podID = "pod-2" }
    #expect(plan.sources.map(\.incarnation.rawValue) == [2])
    #expect(plan.planned == 200 && plan.strays == 500)
    let other = plan.flows.first { $0.from == "pod-1" }
    #expect(other?.staying == [RebalancePlan.Staying(reason: .notAskedFor, sessions: 300)])
  }

  @Test func theRateSaysHowLongItTakes() throws {
    let plan = try plan(scaledOut) { $0.rate = 50 }
    #expect(plan.expectedSeconds == 10)
    #expect(plan.reconnectsPerSecond == 50)
  }

  @Test func ofTwoProcessesOfOnePodTheLaterCounts() throws {
    let twin = Member(
      incarnation: Incarnation(rawValue: 9), description: member(1).description, state: .active, since: 2)
    let plan = try plan([
      .init(member: member(1), limit: 0, owners: [owner(1, 5)]), .init(member: twin, limit: 0, owners: [owner(1, 7)]),
    ])
    #expect(plan.pods.map(\.incarnation) == [9])
  }
}

@Suite struct RebalanceParametersTests {
  @Test func eachSourceHasItsPartOfTheRateAndTheConcurrency() {
    var parameters = RebalanceParameters()
    parameters.rate = 100
    parameters.concurrency = 10
    parameters.moveDeadlineMilliseconds = 1_500
    #expect(
      parameters.limits(of: 300, in: 400) == MoveLimits(rate: 75, concurrency: 8, deadline: .milliseconds(1_500)))
    // The smallest still moves.
    #expect(parameters.limits(of: 1, in: 10_000).concurrency == 1)
    #expect(parameters.limits(of: 0, in: 0).rate == 100)
  }
}
