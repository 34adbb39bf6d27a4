import HashRing
import Placement
import Rebalancing
import Sessions

// SessionMover, SessionHub+Moves, OrderFollower and Registrar, re-enacted: sessions go where they belong.

extension MemberProcess {
  // MARK: What there is to do

  func readOrders() {
    let podID = pod.description.podID
    world.callRegistry(from: self, { ($0.orderNumber, $0.orders[podID]?.state ?? .active) }) { [self] answer in
      guard let (number, state) = answer else { return }
      orderRead = number
      take(state == .emptied ? .emptying : .homing, within: world.timing.moveDeadline)
    }
  }

  /// A drain is for good.
  func take(_ new: MoveTask, within time: Duration) {
    guard task != .draining, task != new else { return }
    task = new
    let deadline = min(world.timing.moveDeadline, time)
    switch new {
    case .homing: mover.limit(MoveLimits(rate: world.timing.homingRate, deadline: deadline), now: now)
    case .emptying, .draining:
      mover.limit(MoveLimits(rate: 100, deadline: deadline), now: now)
      mover.wakeAll()
    }
  }

  private var mayMove: Bool {
    guard let window, !window.current.ring.members.isEmpty, let incarnation else { return false }
    switch task {
    case .draining: return true
    case .homing where window.current.member(incarnation)?.state == .cordoned: return false
    case .homing, .emptying: return reachesRegistry && window.settled.stamp == window.current.stamp
    }
  }

  // MARK: Away from here

  func lookForStraysLater() {
    world.at(world.timing.moveInterval, for: self) { [self] in
      guard !hasStoppedKeeping else { return }
      lookForStraysLater()
      endOverdueMoves()
      if mayMove { moveStrays() }
    }
  }

  /// A session that may be asked to move, and where it belongs.
  private struct Movable {
    let session: SessionSnapshot
    let userHash: UInt64
    let target: Member
  }

  private func moveStrays() {
    guard let view = window?.current, let incarnation else { return }
    let budget = mover.budget(now: now)
    let movable = table.snapshots().sorted { $0.stream.rawValue < $1.stream.rawValue }.compactMap {
      session -> Movable? in
      guard session.hello.moves, let hash = streams[session.stream]?.userHash,
        let owner = view.owner(ofUserHash: hash), owner.incarnation != incarnation,
        let target = target(owner, view, hash), mover.mayBegin(session.record.key, now: now)
      else { return nil }
      return Movable(session: session, userHash: hash, target: target)
    }.prefix(budget)
    for target in Set(movable.map(\.target)).sorted(by: { $0.incarnation < $1.incarnation }) {
      offer(movable.filter { $0.target == target }, to: target)
    }
  }

  /// Nil: nowhere at the moment.
  private func target(_ owner: Member, _ view: View, _ userHash: UInt64) -> Member? {
    if mover.mayOffer(owner.incarnation, now: now) { return owner }
    guard isBroken(.moveHome) else { return nil }
    return view.successors(ofUserHash: userHash, count: 3).first {
      $0.incarnation != incarnation && mover.mayOffer($0.incarnation, now: now)
    }
  }

  private func offer(_ movable: [Movable], to target: Member) {
    let (count, deadline) = (movable.count, mover.limits.deadline)
    let stamps = window?.stamps ?? .none
    world.callPod(
      from: self, to: target.address, timeout: world.timing.peerTimeout,
      serve: { $0.offered(count, deadline: deadline, target: target.incarnation, stamps) }
    ) { [self] outcome in
      guard case .answered(let answer) = outcome, let answer, answer.granted > 0 else {
        var pause = Duration.seconds(1)
        if case .answered(let answer?) = outcome { pause = answer.retryAfter }
        return mover.targetRefused(target.incarnation, until: now + pause)
      }
      for one in movable.prefix(answer.granted) { move(one) }
    }
  }

  private func move(_ movable: Movable) {
    let stream = movable.session.stream
    guard let own = incarnation, let session = table.snapshot(of: stream), let trace = streams[stream]?.trace,
      isBroken(.moveHome) || window?.current.owner(ofUserHash: movable.userHash) == movable.target,
      let ticket = mover.begin(session.record.key, stream, source: own, target: movable.target.incarnation, now: now)
    else { return }
    let (address, deadline) = (movable.target.address, mover.limits.deadline)
    world.tell("\(name) asks \(trace.name) to move to \(movable.target.podID)")
    world.at(world.network.delay(&world.random)) {
      trace.client.moveAsked(trace, to: address, ticket, deadline: deadline)
    }
  }

  private func endOverdueMoves() {
    let view = window?.current
    let over = mover.overdue(now: now) { target in view?.member(target).map { $0.state == .grace } ?? true }
    for move in over {
      guard let record = table.snapshot(of: move.stream)?.record else { continue }
      world.tell("\(name): \(record.key.user)/\(record.key.session) has not moved, and stays")
      lookAfter(record)
    }
  }

  // MARK: To here

  /// Nil when this process is not the one that is meant.
  private func offered(_ count: Int, deadline: Duration, target: Incarnation, _ stamps: WindowStamps)
    -> MoveGrants.Answer?
  {
    stampsSeen(stamps)
    guard let placement, placement.incarnation == target else { return nil }
    guard !isDraining, placement.mayAdmit(now: now) else { return .init(granted: 0, retryAfter: .seconds(1)) }
    let limit = table.limits.sessions
    let room = limit > 0 ? max(0, limit - table.streamCount) : nil
    return grants.offered(count, room: room, deadline: deadline, now: now)
  }

  /// The session that moved here is welcomed: its old stream is to end.
  func release(_ old: SessionRecord, by new: SessionRecord, attemptsLeft: Int) {
    guard attemptsLeft > 0, !isBroken(.moveRelease) else { return }
    world.callRegistry(from: self, { $0.release(old, by: new) }) { [self] done in
      if done == nil { release(old, by: new, attemptsLeft: attemptsLeft - 1) }
    }
  }

  /// What was registered before a resume may be lost, and writing it again would end the old streams: they stay.
  func giveUpMoves() {
    guard !isBroken(.moveResume) else { return }
    for (stream, pending) in admissions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where pending.movedFrom != nil
    {
      giveUp(stream, pending)
    }
  }

  // MARK: What the registry says

  func takeoverTold(_ takeover: PendingTakeover) {
    let isOurs = takeover.newPodID == pod.description.podID
    if isOurs, !table.holds(takeover.key) {
      // Given back by a move that came to nothing, and its stream has ended meanwhile.
      later(.verify(takeover.key, isRepeated: false))
    }
    if !isOurs { _ = mover.released(takeover.key) }
    takenOver(takeover.key, newEpoch: takeover.newEpoch)
  }

  /// A client was asked to move, and is still here. Should its record name a pod that is gone, it is put back; should it name
  /// one that lives, that one will welcome the session or give the record back.
  private func lookAfter(_ record: SessionRecord, attempt: Int = 0) {
    guard !isBroken(.moveLookAfter), !isBroken(.movePutBack), attempt < 100, backs(record) else { return }
    let again = { [self] (pause: Duration) in
      world.at(pause, for: self) { [self] in lookAfter(record, attempt: attempt + 1) }
    }
    world.callRegistry(from: self, { $0.records[record.key.user]?[record.key.session] }) { [self] answer in
      guard let stored = answer else { return again(world.timing.lookAfterPause) }
      guard let stored else {
        if backs(record) { later(.restore(record)) }
        return
      }
      if stored.incarnation == record.incarnation {
        // A client that came in the last moment may be on its way into the registry.
        if attempt == 0 { again(world.timing.lastLookPause) }
        return
      }
      guard window?.current.standing(of: stored.incarnation) == .void else {
        return again(world.timing.lookAfterPause)
      }
      guard backs(record) else { return }
      world.tell("\(name) puts back the record of \(record.key.user)/\(record.key.session)")
      world.callRegistry(from: self, { $0.unregister(stored, puttingBack: record) }) { done in
        if done == nil { again(self.world.timing.lookAfterPause) }
      }
    }
  }
}
