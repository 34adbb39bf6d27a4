/// The placement rules in the hub: when a registered session is welcomed, and what the member's surroundings tell it.
internal import HashRing
internal import Placement
internal import Rebalancing
internal import RedisDirectory
internal import SessionEdge
internal import Sessions
internal import Synchronization

/// A session whose record is written, and which is not welcomed yet.
struct PendingAdmission: Sendable {
  let record: SessionRecord
  /// For a move: the record of the stream that lives until this one is welcomed.
  let movedFrom: SessionRecord?
  let userHash: UInt64
  let welcome: [UInt8]
  let since: Duration
  /// What the registry took.
  let registration: Duration
  /// Messages that came by the record before the welcome: they follow it.
  var held: [HeldMessage] = []
  /// Those that were too many to be held.
  var lost = 0

  /// What is to be done with the record when no stream stands behind it.
  var undoing: RegistryWork {
    movedFrom.map { .putBack($0, insteadOf: record) } ?? .unregister(record)
  }
}

/// What became of one.
struct SettledAdmission: Sendable {
  enum Fate: Sendable {
    case welcomed
    /// By a later stream; the registry has that one's record already.
    case replaced
    /// No stream stands behind the record.
    case unbacked
  }

  var pending: PendingAdmission
  let fate: Fate
  /// Streams to end now.
  var ended: [(call: any EdgeCall, stream: StreamID, end: StreamEnd)] = []
}

// MARK: - R1, performed

extension SessionHub.State {
  /// Welcomes those of `candidates` that may be, and gives up those that may not any more.
  /// - Parameter wakes: whom to wake when the lock has been let go.
  mutating func settleAdmissions(
    _ candidates: [StreamID], now: Duration, limit: Duration, _ wakes: inout [any EdgeWake]
  ) -> [SettledAdmission] {
    candidates.compactMap { stream in
      guard let pending = admissions[stream] else { return nil }
      guard let placement, placement.incarnation == pending.record.incarnation else {
        return giveUp(stream, pending, .leaseEnded)
      }
      switch placement.admission(ofUserHash: pending.userHash, now: now) {
      case .admitted: return welcome(stream, pending, &wakes)
      case .noLease: return giveUp(stream, pending, .leaseEnded)
      case .waiting: return now - pending.since < limit ? nil : giveUp(stream, pending, .ownersSilent)
      }
    }
  }

  mutating func giveUp(_ stream: StreamID, _ pending: PendingAdmission, _ end: StreamEnd) -> SettledAdmission {
    _ = table.registrationFailed(stream)
    var settled = SettledAdmission(pending: pending, fate: fate(ofRecordWithoutStream: pending.record))
    if let call = drop(stream) { settled.ended.append((call, stream, end)) }
    return settled
  }

  private mutating func welcome(
    _ stream: StreamID, _ pending: PendingAdmission, _ wakes: inout [any EdgeWake]
  ) -> SettledAdmission {
    admitted(stream)
    switch table.registered(stream, pending.record) {
    case .welcome(_, let replaced):
      table.noticeQueued(stream, frameBytes: pending.welcome.count)
      if let wake = call(of: stream)?.queue(pending.welcome, displacingBeyond: nil) { wakes.append(wake) }
      deliverHeld(pending, on: stream, &wakes)
      var settled = SettledAdmission(pending: pending, fate: .welcomed)
      if let replaced, let call = drop(replaced) { settled.ended.append((call, replaced, .takenOver)) }
      return settled
    case .superseded:
      letGo(pending.held)
      var settled = SettledAdmission(pending: pending, fate: .replaced)
      if let call = drop(stream) { settled.ended.append((call, stream, .takenOver)) }
      return settled
    case .outrun:
      letGo(pending.held)
      var settled = SettledAdmission(pending: pending, fate: .replaced)
      if let call = drop(stream) { settled.ended.append((call, stream, .outrun)) }
      return settled
    case .gone:
      letGo(pending.held)
      return SettledAdmission(pending: pending, fate: fate(ofRecordWithoutStream: pending.record))
    }
  }

  /// Registrations may run in another order than their streams came: then the record of one that is gone has replaced that
  /// of a live one, which takes its epoch.
  private mutating func fate(ofRecordWithoutStream record: SessionRecord) -> SettledAdmission.Fate {
    table.adopt(record) ? .replaced : .unbacked
  }

  /// The stream is gone. Returns what is to be done with its record.
  mutating func close(_ stream: StreamID) -> RegistryWork? {
    let pending = admissions[stream]
    if let key = table.snapshot(of: stream)?.record.key { mover.closed(key, stream) }
    drop(stream)
    let record = table.streamClosed(stream)
    if let pending, case .unbacked = fate(ofRecordWithoutStream: pending.record) { return pending.undoing }
    return record.map { .unregister($0) }
  }
}

extension SessionHub {
  /// What `change` settles under the lock is told the clients after it.
  func settle(_ change: (inout State, inout [any EdgeWake]) -> [SettledAdmission]) {
    let (settled, wakes) = state.withLock { state in
      var wakes: [any EdgeWake] = []
      return (change(&state, &wakes), wakes)
    }
    for wake in wakes { wake.wake() }
    conclude(settled)
  }

  private func conclude(_ settled: [SettledAdmission]) {
    guard !settled.isEmpty else { return }
    for admission in settled {
      switch admission.fate {
      case .welcomed:
        observer.sessionWelcomed(registration: now - admission.pending.since + admission.pending.registration)
        if let old = admission.pending.movedFrom { later(.release(old, by: admission.pending.record)) }
      case .unbacked: later(admission.pending.undoing)
      case .replaced: break
      }
      for (call, stream, end) in admission.ended { finish(call, stream, end, user: admission.pending.record.key.user) }
    }
    // A welcome alone leaves nothing to be told.
    if settled.contains(where: { $0.fate != .welcomed || !$0.ended.isEmpty }) { reportWork.continuation.yield() }
  }

  /// Whatever changes the placement may let sessions in, give owners something to be told, or the view to acknowledge.
  @discardableResult
  func changePlacement<Result: Sendable>(_ change: (inout MemberPlacement) -> Result) -> Result? {
    var result: Result?
    settle { state, wakes in
      guard state.placement != nil else { return [] }
      result = change(&state.placement!)
      return state.settleAdmissions(Array(state.admissions.keys), now: now, limit: admissionLimit, &wakes)
    }
    reportWork.continuation.yield()
    acknowledgeWork.continuation.yield()
    return result
  }

  func readPlacement<Result: Sendable>(_ look: (MemberPlacement) -> Result) -> Result? {
    state.withLock { $0.placement.map(look) }
  }
}

// MARK: - R4: membership

extension SessionHub {
  func joined(_ membership: Membership, asked: ContinuousClock.Instant) {
    let answered = now
    state.withLock { state in
      state.placement = MemberPlacement(
        incarnation: membership.incarnation, window: membership.window, leaseEnds: leaseEnd(membership.lease, asked),
        admitsFrom: answered + membership.admitsAfter)
      if !state.isDraining { state.table.becameReady() }
    }
    reportWork.continuation.yield()
    acknowledgeWork.continuation.yield()
    updateReadiness()
  }

  func resumed(_ membership: Membership, asked: ContinuousClock.Instant) {
    let claimsEnd = now + membership.lease
    state.withLock { $0.resumes += 1 }
    giveUpMoves()
    changePlacement {
      $0.resumed(membership.window, leaseEnds: leaseEnd(membership.lease, asked), claimsEnd: claimsEnd)
    }
    updateReadiness()
  }

  /// Those to here that wait for their welcome. The registry may have lost their records, and writing them again would end
  /// the old streams: they go on, and the moves have failed.
  func giveUpMoves() {
    settle { state, _ in
      let moves = state.admissions.filter { $0.value.movedFrom != nil }
      return moves.map { state.giveUp($0.key, $0.value, .leaseEnded) }
    }
  }

  /// The registry has written the incarnation off. Nobody is admitted until `joined` comes with a new one: a record of
  /// the old one would be void from the start, and pushes would pass its session by.
  func membershipEnded() {
    state.withLock { $0.placement = nil }
    updateReadiness()
  }

  func leaseExtended(_ lease: Duration, asked: ContinuousClock.Instant) {
    changePlacement { $0.leaseExtended(until: leaseEnd(lease, asked)) }
    updateReadiness()
  }

  /// From before the call that granted it, and shorter than the registry's.
  private func leaseEnd(_ lease: Duration, _ asked: ContinuousClock.Instant) -> Duration {
    now - asked.duration(to: .now) + MemberPlacement.ownLease(lease)
  }

  /// Negative when it is over.
  var leaseLeft: Duration? { readPlacement { $0.leaseEnd - now } }

  var notReadyReason: String? {
    let (standing, isDraining) = state.withLock { state in
      (
        state.placement.map { (admits: $0.mayAdmit(now: now), hasLease: $0.hasLease(now: now)) }, state.isDraining
      )
    }
    if isDraining { return "the pod is leaving" }
    guard let standing else { return "the pod has not joined its cluster yet" }
    if standing.admits { return nil }
    guard standing.hasLease else {
      return "the pod's lease ended and the registry can't be reached; it admits no sessions"
    }
    return "the registry was empty when the pod joined; it admits no sessions until all leases of before are over"
  }

  func updateReadiness() { readiness.set(notReadyReason == nil) }

  func windowChanged(_ window: Window) {
    let claimsEnd = now + lease
    changePlacement { $0.windowChanged(window, claimsEnd: claimsEnd) }
  }

  /// A peer or a Sender knows another view: ours is read again when it is older.
  func stampsSeen(_ stamps: WindowStamps) {
    guard let known = window?.stamps, stamps.current.version > known.current.version else { return }
    staleWork.continuation.yield()
  }

  // MARK: Outages of the registry

  func contactedRegistry(_ reaches: Bool) { state.withLock { $0.reachesRegistry = reaches } }

  /// - Parameter asked: how long ago the others were asked.
  func outage(isConfirmed: Bool, asked: Duration, for duration: Duration) {
    let now = now
    changePlacement { placement in
      if isConfirmed {
        placement.outageConfirmed(asked: now - asked, until: now + duration)
      } else {
        placement.outageDenied()
      }
    }
    updateReadiness()
  }

  var isOutageConfirmed: Bool { readPlacement { $0.isOutageConfirmed(now: now) } ?? false }

  func isPastGrace(_ grace: Duration) -> Bool {
    readPlacement { $0.isPastGrace(grace, now: now) } ?? false
  }

  func placementTick() { changePlacement { $0.timePassed(now: now) } }
}

extension StreamEnd {
  static let leaseEnded = StreamEnd(
    .registryUnavailable, "this pod can't reach the registry, so it admits no sessions; connect to another one")
  static let recovering = StreamEnd(
    .notReady,
    "this pod is new and the registry was empty when it joined: it admits sessions in a moment; connect again")
  static let outrun = StreamEnd(
    .registryUnavailable, "this session was registered on another pod at the same time; connect again")
  static let ownersSilent = StreamEnd(
    .registryUnavailable,
    "the pod that this user's sessions belong to does not answer, and is not yet given up; connect there, or again later"
  )
}
