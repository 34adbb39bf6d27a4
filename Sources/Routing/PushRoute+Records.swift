import Placement
import Sessions

// What the registry says, and what to do when it does not.

extension PushRoute {
  mutating func recordsRead(_ records: [SessionRecord]) -> [RouteDirective] {
    if phase == .auditing { return audited(records) }
    guard phase == .reading else { return [] }
    let wanted = records.filter { record in
      if case .session(let only) = request.target { record.key.session == only } else { true }
    }
    let newest = window.current.newest
    if wanted.contains(where: { $0.incarnation > newest }) {
      phase = .refreshing(wanted)
      return [.refreshView]
    }
    return deliver(by: wanted)
  }

  mutating func viewRefreshed(_ refreshed: Window?) -> [RouteDirective] {
    if phase == .refreshingOwner { return ownerRefreshed(refreshed) }
    guard case .refreshing(let records) = phase else { return [] }
    guard let refreshed else { return deliverDespiteOldView(records) }
    window = refreshed
    return deliver(by: records)
  }

  /// Records of pods that no known view names can't be judged, so they are not void either.
  private mutating func deliverDespiteOldView(_ records: [SessionRecord]) -> [RouteDirective] {
    doubts.append("the view could not be refreshed, so new pods are unknown; push again")
    let newest = window.current.newest
    return deliver(by: records, unknownFrom: newest)
  }

  /// Calls each pod that holds sessions without the message. `unknownFrom`: records of later incarnations are
  /// reported as unreachable instead of being left out as void.
  private mutating func deliver(by records: [SessionRecord], unknownFrom newest: Incarnation? = nil)
    -> [RouteDirective]
  {
    phase = .delivering
    let live = records.filter { record in
      window.current.member(record.incarnation) != nil || newest.map { record.incarnation > $0 } ?? false
    }
    ledger.recordsRead(live)
    let directives = callsToStrays() + callsByRecords()
    return directives.isEmpty ? advance() : directives
  }

  mutating func callsByRecords() -> [RouteDirective] {
    var directives: [RouteDirective] = []
    let byIncarnation = Dictionary(grouping: ledger.sessionsToCall(), by: \.incarnation)
    for incarnation in byIncarnation.keys.sorted() {
      let records = byIncarnation[incarnation, default: []]
      guard let member = window.current.member(incarnation) else {
        for record in records { noteUnknownPod(record) }
        continue
      }
      if isAskedForEverything(incarnation) { continue }
      if let failure = failures[incarnation] {
        for record in records { ledger.failed(record.key.session, .init(failure, member, record.epoch)) }
        continue
      }
      let targets = records.map { CallTarget(session: $0.key.session, epoch: $0.epoch) }
      for group in request.groupsByPod ? [targets] : targets.map({ [$0] }) {
        directives.append(call(member, .sessions(group), followsRecords: true))
      }
    }
    return directives
  }

  /// The answer of the late owner, or of a pod that the owner named, is still to come.
  private func isAskedForEverything(_ incarnation: Incarnation) -> Bool {
    calls.values.contains { $0.member.incarnation == incarnation && $0.targets == everything }
  }

  /// The pods that the owner named are asked for all they have: there may be more than the records show (yet), such as
  /// what was welcomed while the registry was away.
  mutating func callsToStrays() -> [RouteDirective] {
    let unasked = strays.subtracting(answeredInFull).subtracting(failures.keys)
      .subtracting(calls.values.map(\.member.incarnation))
    strays = []
    return unasked.sorted().compactMap { window.current.member($0) }.map {
      call($0, everything, followsRecords: true)
    }
  }

  private mutating func noteUnknownPod(_ record: SessionRecord) {
    ledger.failed(
      record.key.session,
      .init(
        outcome: .unreachable, incarnation: record.incarnation, podID: record.podID, epoch: record.epoch,
        detail: "pod \(record.podID) is newer than the view known here"))
  }

  // MARK: Scatter

  mutating func recordsFailed(_ reason: String) -> [RouteDirective] {
    if phase == .auditing { return finish() }
    guard phase == .reading else { return [] }
    return scatterInstead(reason)
  }

  mutating func scatterInstead(_ reason: String) -> [RouteDirective] {
    phase = .scattering
    route = .scatter
    doubts.append(reason)
    let busy = Set(calls.values.map(\.member.incarnation))
    scatterQueue = window.current.members.reversed().filter {
      !answeredInFull.contains($0.incarnation) && failures[$0.incarnation] == nil && !busy.contains($0.incarnation)
    }
    return scatterNext()
  }

  /// Keeps the allowed number of calls in flight, oldest incarnation first.
  mutating func scatterNext() -> [RouteDirective] {
    var directives: [RouteDirective] = []
    while calls.count < request.limits.scatterConcurrency, let member = scatterQueue.popLast() {
      directives.append(call(member, everything, followsRecords: false))
    }
    return calls.isEmpty ? finish() : directives
  }
}
