internal import HashRing
internal import Placement
internal import Routing
internal import Sessions

/// What a push to all of a user's sessions would do now, found out by the very state machine that routes pushes, played
/// against what the registry and the pods said.
public struct PushTrace: Sendable, Hashable, Encodable {
  public struct Step: Sendable, Hashable, Encodable {
    /// "ask pod-1 for all sessions".
    public let action: String
    public let outcome: String
  }

  public struct Session: Sendable, Hashable, Encodable {
    public let session: String
    public let pod: String
    public let outcome: String
  }

  public internal(set) var steps: [Step] = []
  /// Who would vouch for the set of sessions: ring, directory, scatter.
  public internal(set) var route = ""
  public internal(set) var isComplete = false
  /// Why not.
  public internal(set) var reason = ""
  public internal(set) var rpcs = 0
  public internal(set) var registryReads = 0
  public internal(set) var sessions: [Session] = []

  public init(_ facts: UserFacts) {
    var route = PushRoute(RouteRequest(userHash: keyHash(facts.user.text.utf8), window: facts.window))
    var directives = route.start()[...]
    // A push reads and calls a bounded number of times.
    while let directive = directives.popFirst() {
      switch directive {
      case .deliver(let id, let member, let targets):
        let answer = facts.answer(member, targets)
        steps.append(Step(action: Self.words(member, targets, facts), outcome: answer.words))
        switch answer.event {
        case .success(let given): directives += route.handle(.answered(id, given))
        case .failure(let failure): directives += route.handle(.callFailed(id, failure))
        }
      case .readRecords:
        let records = facts.records
        let outcome = records.map { $0.count == 1 ? "1 record" : "\($0.count) records" } ?? facts.recordsError
        steps.append(Step(action: "read the user's records in Redis", outcome: outcome))
        if let records, facts.recordsAreAll {
          directives += route.handle(.recordsRead(records))
        } else {
          directives += route.handle(.recordsFailed("the registry has not all records"))
        }
      case .refreshView:
        steps.append(Step(action: "read the view", outcome: "view \(facts.window.current.stamp.version)"))
        directives += route.handle(.viewRefreshed(facts.window))
      case .finish(let result): finish(result)
      }
    }
  }

  private mutating func finish(_ result: RouteResult) {
    route = result.route.rawValue
    isComplete = result.completeness == .complete
    reason = result.reason
    rpcs = result.deliverRPCs
    registryReads = result.registryReads
    sessions = result.results.map { Session(session: $0.session.text, pod: $0.podID, outcome: $0.outcome.rawValue) }
  }

  private static func words(_ member: Member, _ targets: CallTargets, _ facts: UserFacts) -> String {
    let isOwner = facts.window.current.owner(ofUserHash: keyHash(facts.user.text.utf8)) == member
    let who = member.podID + (isOwner ? ", the owner," : "")
    switch targets {
    case .allSessions: return "call \(who) for all sessions"
    case .sessions(let some): return "call \(who) for \(some.map(\.session.text).joined(separator: ", "))"
    }
  }
}

extension UserFacts {
  /// What the pod would answer.
  fileprivate func answer(_ member: Member, _ targets: CallTargets) -> (
    event: Result<CallAnswer, CallFailure>, words: String
  ) {
    guard let pod = pod(member.incarnation) else {
      let reason = silent.first { $0.incarnation == member.incarnation.rawValue }?.reason ?? "it is not known"
      return (
        .failure(CallFailure(kind: .unreachable, mayHaveArrived: false, detail: reason)), "no answer: \(reason)"
      )
    }
    let outcomes = pod.outcomes(targets)
    let delivered = outcomes.count { $0.outcome == .delivered }
    guard targets == .allSessions else {
      return (
        .success(CallAnswer(sessions: outcomes, stamps: pod.stamps)), "\(delivered) of \(outcomes.count) delivered"
      )
    }
    var words = ["\(delivered) delivered"]
    if pod.vouches { words.append("vouches that these are all") }
    if !pod.strays.isEmpty {
      words.append("names " + pod.strays.map { name($0) }.joined(separator: ", "))
    }
    if !pod.vouches, pod.strays.isEmpty {
      words.append(pod.hasLease ? "does not vouch that these are all" : "can't vouch, as its lease is over")
    }
    return (
      .success(CallAnswer(sessions: outcomes, isComplete: pod.vouches, strays: pod.strays, stamps: pod.stamps)),
      words.joined(separator: "; ")
    )
  }

  func name(_ incarnation: Incarnation) -> String {
    window.current.member(incarnation)?.podID ?? "incarnation \(incarnation)"
  }
}

extension UserFacts.Pod {
  fileprivate func outcomes(_ targets: CallTargets) -> [CallOutcome] {
    switch targets {
    case .allSessions:
      return sessions.filter { !$0.isWaiting }.map {
        CallOutcome(session: $0.session, outcome: .delivered, epoch: $0.epoch)
      }
    case .sessions(let targets):
      return targets.map { target in
        // What waits for its welcome gets the message after it.
        let held = sessions.first { $0.session == target.session && ($0.epoch >= target.epoch || $0.isWaiting) }
        return CallOutcome(
          session: target.session, outcome: held == nil ? .gone : .delivered, epoch: held?.epoch ?? .none)
      }
    }
  }
}
