import HashRing
public import Placement
import Sessions

// One push finds its sessions. The ring says where they should be, the registry where they are; this state machine
// asks the one first and the other only when it has to, and never says "complete" on less than somebody's word.
//
//   ring        ask the owner for all sessions. It vouches that these are all: done, one call, no look-up. It does
//               not: read the records, and call every other pod that they (or the owner's strays) name, once, with
//               its sessions less those that the owner delivered. An owner that knows a newer view than ours says
//               that the ring has changed: read the view, and ask whoever owns the user now, before the records.
//   directory   read the records, call each pod once, or once per session when not grouping.
//   modulo      ask one pod, and never learn what was missed.
//
// A pod that answers "gone", or that can't be reached after the records were read, may have lost the session to
// another pod in between: the records are read again, a bounded number of times, and only a changed record leads to
// another call. When the registry does not answer, every pod of the view is asked ("scatter").
//
// What a scatter finds is never called complete: nobody vouches that no session moved, during the scatter, from a pod
// that was not yet asked to one that already was, or that the last known view still names every pod.
//
// Cost, inherent: the owner is asked before anything is known, so the sessions of a user on two pods cost two calls
// when one of them is the owner, and three when none is. An owner that answered is not called again for what it
// delivered.
//
// Time and I/O are the shell's: it carries out directives and reports events in any order. Late events are harmless.

/// The state machine of one push: `start`, then `handle` for each event, until it says `finish`.
public struct PushRoute: Sendable {
  let request: RouteRequest
  var window: Window
  var ledger = SessionLedger()
  var calls: [CallID: Call] = [:]
  /// Incarnations that answered a call for all sessions, so that asking again finds nothing new.
  var answeredInFull: Set<Incarnation> = []
  /// Incarnations whose call failed in this push: not called again.
  var failures: [Incarnation: CallFailure] = [:]
  var strays: Set<Incarnation> = []
  var scatterQueue: [Member] = []
  var phase: Phase = .idle
  var route: Route
  /// Reasons for which the result can't be called complete.
  var doubts: [String] = []
  var deliverRPCs = 0
  var registryReads = 0
  /// A call that was made by the latest records ended "gone" or unreachable.
  var recordsMayBeOld = false
  var hasRefreshedOwner = false
  var audit: RouteAudit = .none
  /// Records that contradict a claim, by session, with their epochs.
  var contradictions: [SessionID: Epoch] = [:]

  enum Phase: Hashable, Sendable {
    /// Can become: askingOwner, reading, scattering, finished.
    case idle
    /// The owner, or modulo's pod, was asked for everything. Can become: refreshingOwner, auditing, reading, finished.
    case askingFirst
    /// The owner asked knows a newer view. Can become: askingFirst, reading, finished.
    case refreshingOwner
    /// The owner's claim is trusted, and compared with the registry all the same. Can become: delivering, finished.
    case auditing
    /// Can become: refreshing, delivering, scattering, finished.
    case reading
    /// Records wait for a newer view to be judged by. Can become: delivering, finished.
    case refreshing([SessionRecord])
    /// Calls by the records are in flight. Can become: reading, finished.
    case delivering
    /// Can become: finished.
    case scattering
    case finished
  }

  struct Call: Sendable {
    let member: Member
    let targets: CallTargets
    /// Made because of a record, so that "gone" means the record may be old.
    let followsRecords: Bool
  }

  public init(_ request: RouteRequest) {
    self.request = request
    window = request.window
    route =
      switch request.strategy {
      case .ring: .ring
      case .directory: .directory
      case .modulo: .modulo
      }
  }

  /// True while only the owner was asked: the shell gives it a part of the push's time, then reports `ownerIsLate`.
  public var awaitsOwnerOnly: Bool { phase == .askingFirst && request.strategy == .ring }

  /// The newest window that the push went by.
  public var newestWindow: Window { window }

  /// Call once, first.
  public mutating func start() -> [RouteDirective] {
    switch request.strategy {
    case .directory:
      return readRecords()
    case .ring:
      guard let owner = window.current.owner(ofUserHash: request.userHash) else {
        // Members without a lease may have admitted sessions that are not registered yet, and no owner to name them.
        return window.current.members.isEmpty ? readRecords() : scatterInstead("no pod holds a lease")
      }
      return askFirst(owner)
    case .modulo:
      guard let member = window.current.memberByModulo(ofUserHash: request.userHash) else {
        doubts.append("the view has no active pod")
        return finish()
      }
      return askFirst(member)
    }
  }

  public mutating func handle(_ event: RouteEvent) -> [RouteDirective] {
    guard phase != .finished else { return [] }
    switch event {
    case .answered(let id, let answer): return answered(id, answer)
    case .callFailed(let id, let failure): return callFailed(id, failure)
    case .recordsRead(let records): return recordsRead(records)
    case .recordsFailed(let reason): return recordsFailed(reason)
    case .viewRefreshed(let window): return viewRefreshed(window)
    case .ownerIsLate: return awaitsOwnerOnly ? readRecords() : []
    case .deadline: return deadline()
    }
  }
}

// MARK: - Steps

extension PushRoute {
  private mutating func askFirst(_ member: Member) -> [RouteDirective] {
    phase = .askingFirst
    return [call(member, everything, followsRecords: false)]
  }

  /// What a pod is asked for when no record says what it holds.
  var everything: CallTargets {
    switch request.target {
    case .allSessions: .allSessions
    case .session(let session): .sessions([CallTarget(session: session, epoch: .none)])
    }
  }

  mutating func call(_ member: Member, _ targets: CallTargets, followsRecords: Bool) -> RouteDirective {
    let id = CallID(rawValue: deliverRPCs)
    deliverRPCs += 1
    calls[id] = Call(member: member, targets: targets, followsRecords: followsRecords)
    return .deliver(id, to: member, targets)
  }

  mutating func readRecords() -> [RouteDirective] {
    phase = .reading
    registryReads += 1
    recordsMayBeOld = false
    if route == .ring { route = .directory }
    return [.readRecords]
  }

  /// Called whenever something ended: what is next, if nothing is in flight any more.
  mutating func advance() -> [RouteDirective] {
    switch phase {
    case .askingFirst:
      return request.strategy == .modulo ? finish() : readRecords()
    case .delivering:
      guard calls.isEmpty else { return [] }
      // The late owner has named pods by now, or its answer left out what the records say it holds.
      let more = callsToStrays() + callsByRecords()
      guard more.isEmpty else { return more }
      if recordsMayBeOld && registryReads <= request.limits.rereads { return readRecords() }
      if recordsMayBeOld { doubts.append("sessions kept moving; push again") }
      return finish()
    case .scattering:
      return scatterNext()
    case .idle, .reading, .refreshing, .refreshingOwner, .auditing, .finished:
      return []
    }
  }

  private mutating func deadline() -> [RouteDirective] {
    if phase == .auditing { return finish() }
    for (id, call) in calls {
      let failure = CallFailure(
        kind: .unreachable, mayHaveArrived: true,
        detail: "pod \(call.member.podID) did not answer within the push's time")
      calls[id] = nil
      noteFailure(call, failure)
    }
    for record in ledger.sessionsToCall() {
      ledger.failed(
        record.key.session,
        .init(
          outcome: .unreachable, incarnation: record.incarnation, podID: record.podID, epoch: record.epoch,
          detail: "the push's time was up before its pod was asked"))
    }
    doubts.append("the push's time was up")
    return finish()
  }

  mutating func finish() -> [RouteDirective] {
    phase = .finished
    if route == .scatter { doubts.append("the registry did not answer, so nobody vouches for the set of sessions") }
    if route == .modulo { doubts.append("modulo asks one pod and does not look elsewhere") }
    let results = finalResults()
    if results.contains(where: { $0.outcome == .unreachable }) { doubts.append("not every pod answered") }
    return [
      .finish(
        RouteResult(
          route: route, completeness: doubts.isEmpty ? .complete : .unknown, deliverRPCs: deliverRPCs,
          registryReads: registryReads, results: results, reason: doubts.joined(separator: "; "),
          audit: auditResult(results)))
    ]
  }

  /// A push to one session always says what became of that one.
  private func finalResults() -> [RoutedSession] {
    let results = ledger.results()
    guard case .session(let session) = request.target, results.isEmpty else { return results }
    return [RoutedSession(session: session, podID: "", outcome: .gone, detail: "no pod and no record has it")]
  }
}

extension View {
  /// The active member at the hash modulo their number, by pod id.
  public func memberByModulo(ofUserHash hash: UInt64) -> Member? {
    guard !ring.members.isEmpty else { return nil }
    let podID = ring.members[Int(hash % UInt64(ring.members.count))].id
    return members.last { $0.podID == podID && $0.state == .active }
  }
}
