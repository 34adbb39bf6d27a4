import Placement
import Rebalancing
import Sessions

// SessionHub and Registrar, re-enacted: streams, R1 performed, records.

extension MemberProcess {
  /// A client opened a stream and said Hello on it.
  func opened(_ trace: StreamTrace, lastEpoch: Epoch) {
    let stream = trace.id
    if let end = table.streamOpened(stream, now: now) { return finish(trace, end.reason) }
    streams[stream] = OpenStream(trace: trace)
    let request = HelloRequest(
      userID: trace.key.user.text, sessionID: trace.key.session.text, epoch: lastEpoch.rawValue,
      moves: trace.client.mobility != .cannotMove)
    switch table.helloReceived(stream, request, chosenSessionID: "") {
    case .register(let hello):
      guard let placement, placement.mayAdmit(now: now) else {
        _ = table.registrationFailed(stream)
        drop(stream)
        return finish(trace, .registryUnavailable)
      }
      streams[stream]?.userHash = trace.userHash
      self.placement?.sessionArriving(userHash: trace.userHash)
      tellOwners()
      register(trace, hello, placement.incarnation)
    case .end(let end), .endSecond(let end):
      drop(stream)
      finish(trace, end.reason)
    case .nothing:
      break
    }
  }

  /// The stream is over, for the placement too.
  @discardableResult
  func drop(_ stream: StreamID) -> StreamTrace? {
    if let pending = admissions.removeValue(forKey: stream) { letGo(pending.held) }
    guard let dropped = streams.removeValue(forKey: stream) else { return nil }
    if let hash = dropped.userHash { placement?.sessionEnded(userHash: hash) }
    dropped.trace.closedAtPod(world)
    return dropped.trace
  }

  func finish(_ trace: StreamTrace, _ reason: EndReason) {
    trace.closedAtPod(world)
    world.at(world.network.delay(&world.random)) { trace.client.ended(trace, reason) }
  }

  /// The client closed it, or its connection broke.
  func closed(_ trace: StreamTrace) {
    let pending = admissions[trace.id]
    if table.isLive(trace.id) { mover.closed(trace.key, trace.id) }
    drop(trace.id)
    let record = table.streamClosed(trace.id)
    tellOwners()
    if let pending { takeAway(pending) } else if let record { later(.unregister(record)) }
  }

  // MARK: Registration

  private func register(_ trace: StreamTrace, _ hello: Hello, _ incarnation: Incarnation) {
    let (stream, podID) = (trace.id, pod.description.podID)
    let isMove = trace.ticket != nil
    guard let latest = latestAtServer else { return askForTime(trace, hello, incarnation) }
    let call = { (registry: inout SimulatedRegistry) -> (done: SimulatedRegistry.Registration?, now: Duration) in
      if registry.now > latest { return (nil, registry.now) }
      let done = registry.register(
        hello.key, podID: podID, incarnation: incarnation, lastEpoch: hello.lastEpoch, isMove: isMove)
      return (done, registry.now)
    }
    let resumes = resumes
    let asked = now
    world.callRegistry(from: self, call) { [self] answer in
      if let answer { serverLead = min(serverLead ?? answer.now - asked, answer.now - asked) }
      if let done = answer?.done {
        if isMove, diesBeforeWelcome || world.random.chance(world.deathsBeforeWelcome) { return world.crash(pod) }
        registered(stream, done.record, movedFrom: isMove ? done.replaced : nil)
        guard self.resumes != resumes else { return }
        if isMove { giveUpMoves() } else { later(.restore(done.record)) }
        return
      }
      registrationFailed(stream, hello, incarnation)
    }
  }

  private func registrationFailed(_ stream: StreamID, _ hello: Hello, _ incarnation: Incarnation) {
    guard placement?.isOutageConfirmed(now: now) == true else {
      if table.registrationFailed(stream), let trace = drop(stream) { finish(trace, .registryUnavailable) }
      return later(.verify(hello.key, isRepeated: false))
    }
    // Written when the registry is back, where it loses against a larger epoch.
    let epoch = max(hello.lastEpoch.rawValue + 1, SimulatedRegistry.microseconds(world.now))
    let provisional = SessionRecord(
      key: hello.key, podID: pod.description.podID, incarnation: incarnation, epoch: Epoch(rawValue: epoch))
    registered(stream, provisional, movedFrom: nil)
    if !isBroken(.restoreProvisional) { later(.restore(provisional)) }
    later(.verify(hello.key, isRepeated: false))
  }

  /// The first registration has to know what the registry's clock shows.
  private func askForTime(_ trace: StreamTrace, _ hello: Hello, _ incarnation: Incarnation) {
    let asked = now
    world.callRegistry(from: self, { $0.now }) { [self] time in
      guard let time else { return registrationFailed(trace.id, hello, incarnation) }
      serverLead = min(serverLead ?? time - asked, time - asked)
      register(trace, hello, incarnation)
    }
  }

  private func registered(_ stream: StreamID, _ record: SessionRecord, movedFrom: SessionRecord?) {
    let userHash = world.users.first { $0.id == record.key.user }?.hash ?? 0
    if movedFrom != nil { grants.arrived(now: now) }
    admissions[stream] = PendingAdmission(record: record, movedFrom: movedFrom, userHash: userHash, since: now)
    settleAdmissions([stream])
    tellOwners()
  }

  /// Until when a call that is sent now may run.
  private var latestAtServer: Duration? { serverLead.map { $0 + now + world.timing.registryTimeout } }

  /// Nil: no answer, or too late.
  func callRestore(_ records: [SessionRecord], then: @escaping ([SessionRecord]?) -> Void) {
    let latest = latestAtServer
    let call = { (registry: inout SimulatedRegistry) -> [SessionRecord]? in
      if let latest, registry.now > latest { nil } else { registry.restore(records) }
    }
    world.callRegistry(from: self, call) { then($0 ?? nil) }
  }

  // MARK: R1

  /// Welcomes those of `candidates` that may be, and gives up those that may not any more.
  func settleAdmissions(_ candidates: [StreamID]) {
    let limit = world.timing.lease + world.timing.renewalInterval * 2
    for stream in candidates {
      guard let pending = admissions[stream] else { continue }
      guard let placement, placement.incarnation == pending.record.incarnation else {
        giveUp(stream, pending)
        continue
      }
      switch placement.admission(ofUserHash: pending.userHash, now: now) {
      case .admitted: welcome(stream, pending)
      case .noLease: giveUp(stream, pending)
      case .waiting:
        if isBroken(.admit) {
          welcome(stream, pending)
        } else if now - pending.since >= limit {
          giveUp(stream, pending)
        }
      }
    }
  }

  func giveUp(_ stream: StreamID, _ pending: PendingAdmission) {
    _ = table.registrationFailed(stream)
    if let trace = drop(stream) { finish(trace, .registryUnavailable) }
    takeAway(pending)
  }

  /// The record of a stream that is gone may have replaced that of a live one.
  func takeAway(_ pending: PendingAdmission) {
    if adopt(pending.record) { return }
    later(isBroken(.movePutBack) ? .unregister(pending.record) : pending.undoing)
  }

  private func welcome(_ stream: StreamID, _ pending: PendingAdmission) {
    admissions[stream] = nil
    let result = table.registered(stream, pending.record)
    if case .welcome = result {} else { letGo(pending.held) }
    switch result {
    case .welcome(_, let replaced):
      guard let trace = streams[stream]?.trace else { return }
      world.tell(
        "\(name) welcomes \(trace.name), epoch …\(pending.record.epoch.rawValue % 100_000_000)")
      trace.welcomed(pending.record, by: self)
      world.at(world.network.delay(&world.random)) { trace.client.welcomed(trace) }
      deliver(pending.held, pending.record)
      if let old = pending.movedFrom { release(old, by: pending.record, attemptsLeft: 2) }
      if let replaced, let trace = drop(replaced) { finish(trace, .takenOver) }
    case .superseded:
      if let trace = drop(stream) { finish(trace, .takenOver) }
    case .outrun:
      if let trace = drop(stream) { finish(trace, .registryUnavailable) }
    case .gone:
      takeAway(pending)
    }
  }

  // MARK: Ends

  func takenOver(_ key: SessionKey, newEpoch: Epoch) {
    guard let stream = table.takenOver(key, newEpoch: newEpoch), let trace = drop(stream) else { return }
    world.tell("\(name) ends \(trace.name): taken over")
    world.checker.takenOver(trace, newEpoch: newEpoch, world)
    finish(trace, .takenOver)
    tellOwners()
  }

  /// The registry has kept this record instead of one of ours.
  func superseded(by stored: SessionRecord) {
    let isOurs = stored.incarnation == incarnation
    // The one that it moves to is welcomed or gives the record back.
    if mover.isMoving(stored.key), !isOurs { return }
    takenOver(stored.key, newEpoch: isOurs ? stored.epoch : Epoch(rawValue: stored.epoch.rawValue + 1))
  }

  func endAll(_ reason: EndReason) {
    if table.streamCount > 0 { world.tell("\(name) ends its \(table.streamCount) streams: \(reason.rawValue)") }
    for stream in table.streamIDs.sorted(by: { $0.rawValue < $1.rawValue }) {
      let pending = admissions[stream]
      let record = table.streamClosed(stream)
      if let trace = drop(stream) { finish(trace, reason) }
      if let pending { takeAway(pending) } else if let record { later(.unregister(record)) }
    }
    tellOwners()
  }

  // MARK: Records to be taken away

  func later(_ cleanUp: CleanUp) {
    cleanUps.append(cleanUp)
    cleanUpNext()
  }

  private func cleanUpNext() {
    guard !isCleaningUp, let next = cleanUps.first else { return }
    isCleaningUp = true
    cleanUps.removeFirst()
    let done = { [self] (isDone: Bool) in
      if isDone {
        isCleaningUp = false
        return cleanUpNext()
      }
      cleanUps.append(next)
      world.at(.milliseconds(500), for: self) { [self] in
        isCleaningUp = false
        cleanUpNext()
      }
    }
    switch next {
    case .unregister(let record):
      if adopt(record) { return done(true) }
      if table.isRegistering(record.key) { return done(false) }
      world.callRegistry(from: self, { $0.unregister(record) }) { done($0 != nil) }
    case .putBack(let old, let new):
      if adopt(new) { return done(true) }
      if table.isRegistering(new.key) { return done(false) }
      let isGone = window?.current.standing(of: old.incarnation) == .void
      world.callRegistry(from: self, { $0.unregister(new, puttingBack: isGone ? nil : old) }) { done($0 != nil) }
    case .restore(let record): restoreProvisional(record, then: done)
    case .verify(let key, let isRepeated):
      if table.isRegistering(key) { return done(false) }
      let incarnation = incarnation
      world.callRegistry(from: self, { $0.record(key, of: incarnation) }) { [self] record in
        guard let record else { return done(false) }
        verifyAgain(key, isRepeated)
        if table.isRegistering(key) { return done(false) }
        guard let record, !adopt(record), !table.holds(key) else { return done(true) }
        world.callRegistry(from: self, { $0.unregister(record) }) { done($0 != nil) }
      }
    }
  }

  private func verifyAgain(_ key: SessionKey, _ isRepeated: Bool) {
    guard !isRepeated else { return }
    world.at(.seconds(5), for: self) { [self] in later(.verify(key, isRepeated: true)) }
  }

  /// Whether a stream stands behind exactly this record: live, or waiting for its welcome.
  func backs(_ record: SessionRecord) -> Bool {
    table.holds(record) || admissions.values.contains { $0.record == record }
  }

  private func adopt(_ record: SessionRecord) -> Bool {
    guard table.adopt(record) else { return false }
    for stream in streams.values where stream.trace.record?.key == record.key { stream.trace.record = record }
    return true
  }

  private func restoreProvisional(_ record: SessionRecord, then: @escaping (Bool) -> Void) {
    // One that still waits for its welcome has to be written as well.
    guard backs(record) else {
      // An earlier attempt may have written it without an answer.
      later(.unregister(record))
      return then(true)
    }
    callRestore([record]) { [self] superseded in
      guard let superseded else { return then(false) }
      superseded.forEach(self.superseded)
      if !backs(record) { later(.unregister(record)) }
      then(true)
    }
  }

  // MARK: Leaving

  /// SIGTERM: moves its sessions away, ends the streams that are left, leaves, and stops listening.
  func leave(deadline: Duration) {
    guard !isDraining else { return }
    world.tell("\(name) drains")
    isDraining = true
    table.startedDraining()
    take(.draining, within: deadline * 4 / 5)
    if let incarnation { world.callMembership(from: self, { $0.drain(incarnation) }) { _ in } }
    let end = world.now + deadline
    waitUntil(world.now + deadline * 4 / 5, for: { self.table.streamCount == 0 }) { [self] in
      endAll(.leaving)
      waitUntil(end, for: { self.cleanUps.isEmpty && !self.isCleaningUp }) { [self] in stopKeeping() }
    }
  }

  private func waitUntil(_ end: Duration, for condition: @escaping () -> Bool, then: @escaping () -> Void) {
    if condition() || world.now >= end { return then() }
    world.at(.milliseconds(50), for: self) { [self] in waitUntil(end, for: condition, then: then) }
  }

  private func stopKeeping() {
    hasStoppedKeeping = true
    let stop = { [self] in
      world.tell("\(name) has stopped")
      world.stopped(self)
    }
    guard let incarnation = membership?.incarnation else { return stop() }
    if !isBroken(.claimUntilLeave) { placement = nil }
    world.callMembership(from: self, { $0.leave(incarnation) }) { _ in stop() }
  }
}
