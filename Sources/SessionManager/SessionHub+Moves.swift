/// Moves in the hub: which sessions are not where they belong, whom to ask to go, and what others may send here.
internal import HashRing
internal import Placement
internal import Rebalancing
internal import SessionEdge
internal import Sessions
internal import Synchronization
internal import Wire

/// What a look at all sessions of this pod finds.
struct StrayLook: Sendable {
  /// Of live sessions here that others own, those that may be asked to move now; by target.
  var movable: [Incarnation: [StreamID]] = [:]
  /// Live, owned by others, and their clients say that they can't move.
  var immovable: [StreamID] = []
  /// Movable, but of a target that takes nobody at the moment.
  var resting = 0
}

extension SessionHub {
  // MARK: Away from here

  /// - Parameters:
  ///   - userHash: only sessions of this user; nil: of all.
  ///   - limit: how many of each kind to name.
  func lookForStrays(of userHash: UInt64? = nil, limit: Int) -> StrayLook {
    guard let view = window?.current else { return StrayLook() }
    return state.withLock { state in
      guard let own = state.placement?.incarnation else { return StrayLook() }
      var look = StrayLook()
      var movable = 0
      for (stream, hash) in state.streams.counted(in: 0..<state.streams.placeCount) {
        guard userHash == nil || hash == userHash, let owner = view.owner(ofUserHash: hash)?.incarnation, owner != own,
          let session = state.table.snapshot(of: stream)
        else { continue }
        if session.hello.moves {
          guard state.mover.mayOffer(owner, now: now) else {
            look.resting += 1
            continue
          }
          guard movable < limit, state.mover.mayBegin(session.record.key, now: now) else { continue }
          movable += 1
          look.movable[owner, default: []].append(stream)
        } else if look.immovable.count < limit {
          look.immovable.append(stream)
        }
      }
      return look
    }
  }

  func limitMoves(_ limits: MoveLimits) { state.withLock { $0.mover.limit(limits, now: now) } }

  /// Those that rest after a failure are asked again: somebody wants them moved now.
  func wakeResting() { state.withLock { $0.mover.wakeAll() } }

  var moveBudget: Int { state.withLock { $0.mover.budget(now: now) } }

  var moveCounts: (counts: MoveCounts, underWay: Int) { state.withLock { ($0.mover.counts, $0.mover.underWay) } }

  func targetRefused(_ target: Incarnation, for pause: Duration) {
    state.withLock { $0.mover.targetRefused(target, until: now + pause) }
  }

  /// Asks the sessions' clients to open a stream on the target; those that are gone, or belong elsewhere by now, are not
  /// asked.
  func move(_ streams: some Sequence<StreamID>, to target: Member, reason: Pushring_V1_Reconnect.Reason) {
    guard let view = window?.current else { return }
    state.withLock { state in
      guard let own = state.placement?.incarnation else { return }
      for stream in streams {
        guard let hash = state.streams.userHash(of: stream),
          view.owner(ofUserHash: hash)?.incarnation == target.incarnation,
          let session = state.table.snapshot(of: stream),
          let ticket = state.mover.begin(
            session.record.key, stream, source: own, target: target.incarnation, now: now)
        else { continue }
        let frame = reconnectFrame(
          to: target, deadline: state.mover.limits.deadline, ticket: ticket, reason: reason)
        state.table.noticeQueued(stream, frameBytes: frame.count)
        state.call(of: stream)?.send(frame)
      }
    }
  }

  /// Out of the ring by an operator's word: what is here stays until somebody moves it.
  var isCordoned: Bool {
    guard let view = window?.current, let own = incarnation else { return false }
    return view.member(own)?.state == .cordoned
  }

  /// Ends a stream whose client can't move otherwise; its trailers say where to go.
  func sendAway(_ stream: StreamID) {
    let ended = state.withLock { state -> (call: any EdgeCall, user: UserID, work: RegistryWork?)? in
      guard let session = state.table.snapshot(of: stream), let call = state.call(of: stream) else { return nil }
      return (call, session.record.key.user, state.close(stream))
    }
    guard let ended else { return }
    if let work = ended.work { later(work) }
    reportWork.continuation.yield()
    finish(ended.call, stream, .rebalanced, user: ended.user)
  }

  /// Moves whose time is over, or whose target is out of the ring: what is left of them is looked after.
  func endOverdueMoves() {
    let view = window?.current
    let (over, records) = state.withLock { state -> ([Mover.Move], [SessionRecord]) in
      let over = state.mover.overdue(now: now) { target in view?.member(target).map { $0.state == .grace } ?? true }
      return (over, over.compactMap { state.table.snapshot(of: $0.stream)?.record })
    }
    for move in over { observer.moved(move.isClosed ? .ended : .failed, lasted: now - move.begun) }
    for record in records { later(.lookAfter(record, attempt: 0)) }
  }

  /// No other pod owns anything, once this one has left the ring.
  var isLastOfItsCluster: Bool {
    guard let view = window?.current, let own = incarnation, view.member(own)?.state != .active else { return false }
    return view.ring.members.isEmpty
  }

  var reachesRegistry: Bool { state.withLock { $0.reachesRegistry } }

  // MARK: To here

  /// - Returns: nil when this process is not the one that is meant.
  func offered(_ count: Int, deadline: Duration, target: Incarnation) -> MoveGrants.Answer? {
    state.withLock { state in
      guard let placement = state.placement, placement.incarnation == target else { return nil }
      guard !state.isDraining, placement.mayAdmit(now: now) else { return .init(granted: 0, retryAfter: .seconds(1)) }
      let room = limits.sessions > 0 ? max(0, limits.sessions - state.table.streamCount) : nil
      return state.grants.offered(count, room: room, deadline: deadline, now: now)
    }
  }
}

extension StreamEnd {
  static let rebalanced = StreamEnd(.rebalanced, "this session belongs on another pod; connect there")
}
