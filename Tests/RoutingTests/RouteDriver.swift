import Placement
import Routing
import Sessions
import Testing

/// A push in a test: the events by short names, and what it wants done as text.
struct RouteDriver {
  var route: PushRoute
  /// What the last event led to.
  private(set) var directives: [RouteDirective] = []
  private var openCalls: [Incarnation: [CallID]] = [:]
  var stamps: WindowStamps

  init(
    _ strategy: RoutingStrategy = .ring, grouping: Bool = true, target: RouteTarget = .allSessions, userHash: UInt64,
    _ window: Window, scatterConcurrency: Int = 16, audits: AuditRequest? = nil
  ) {
    var limits = RouteLimits()
    limits.scatterConcurrency = scatterConcurrency
    var request = RouteRequest(
      strategy: strategy, groupsByPod: grouping, target: target, userHash: userHash, window: window, limits: limits)
    request.audits = audits
    route = PushRoute(request)
    stamps = window.stamps
    note(route.start())
  }

  private mutating func note(_ directives: [RouteDirective]) {
    self.directives = directives
    for case .deliver(let id, let member, _) in directives { openCalls[member.incarnation, default: []].append(id) }
  }

  mutating func handle(_ event: RouteEvent) { note(route.handle(event)) }

  /// The oldest open call to that pod is answered.
  mutating func answer(
    _ member: Member, _ sessions: [CallOutcome], complete: Bool = false, fresh: Bool = true, isFromMember: Bool = true,
    strays: [Incarnation] = [], stamps: WindowStamps? = nil
  ) {
    handle(
      .answered(
        takeCall(member),
        CallAnswer(
          sessions: sessions, isComplete: complete, viewIsFresh: fresh, isFromMember: isFromMember, strays: strays,
          stamps: stamps ?? self.stamps)))
  }

  mutating func fail(_ member: Member, _ kind: CallFailure.Kind = .unreachable) {
    handle(.callFailed(takeCall(member), CallFailure(kind: kind, mayHaveArrived: true, detail: "test")))
  }

  private mutating func takeCall(_ member: Member) -> CallID {
    guard let calls = openCalls[member.incarnation], let id = calls.first else {
      Issue.record("no open call to \(member.podID)")
      return CallID(rawValue: -1)
    }
    openCalls[member.incarnation] = Array(calls.dropFirst())
    return id
  }

  /// "deliver pod-1 *", "deliver pod-2 desk@7 phone@9", "read", "refresh", "finish".
  var wants: [String] {
    directives.map { directive in
      switch directive {
      case .deliver(_, let member, .allSessions): "deliver \(member.podID) *"
      case .deliver(_, let member, .sessions(let targets)):
        "deliver \(member.podID) " + targets.map { "\($0.session)@\($0.epoch)" }.joined(separator: " ")
      case .readRecords: "read"
      case .refreshView: "refresh"
      case .finish: "finish"
      }
    }
  }

  var result: RouteResult? {
    guard case .finish(let result) = directives.last else { return nil }
    return result
  }

  /// "desk pod-1 delivered".
  var outcomes: [String] {
    (result?.results ?? []).map { "\($0.session) \($0.podID) \($0.outcome.rawValue)" }
  }
}

// MARK: - A cluster of pods named by number

func member(_ number: Int, _ state: MemberState = .active) -> Member {
  Member(
    incarnation: Incarnation(rawValue: UInt64(number)),
    description: MemberDescription(
      podID: "pod-\(number)", endpoint: "10.0.0.\(number):1", peerEndpoint: "10.0.0.\(number):2"),
    state: state, since: 1)
}

func view(_ members: [Member], version: UInt64 = 10) throws -> View {
  try View(stamp: ViewStamp(version: version, digest: version), members: members, tokensPerWeight: 16)
}

func window(_ numbers: ClosedRange<Int>, version: UInt64 = 10) throws -> Window {
  let view = try view(numbers.map { member($0) }, version: version)
  return Window(settled: view, current: view)
}

extension Window {
  /// A user hash that `number` owns.
  func hash(ownedBy number: Int) throws -> UInt64 {
    try #require(
      (0..<100_000).lazy.map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }
        .first { current.owner(ofUserHash: $0)?.podID == "pod-\(number)" })
  }
}

func session(_ name: String) throws -> SessionID { try SessionID(name) }

func outcome(_ name: String, _ outcome: Outcome = .delivered, epoch: UInt64 = 1) throws -> CallOutcome {
  CallOutcome(
    session: try session(name), outcome: outcome, epoch: Epoch(rawValue: outcome == .gone ? 0 : epoch))
}

func record(_ name: String, at number: Int, epoch: UInt64 = 1) throws -> SessionRecord {
  SessionRecord(
    key: SessionKey(user: try UserID("ann"), session: try session(name)), podID: "pod-\(number)",
    incarnation: Incarnation(rawValue: UInt64(number)), epoch: Epoch(rawValue: epoch))
}
