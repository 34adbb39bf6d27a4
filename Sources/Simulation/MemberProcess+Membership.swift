import Placement
import Sessions

// MembershipKeeper, re-enacted: joins, renews, resumes, acknowledges, leaves.

extension MemberProcess {
  /// It listens already.
  func start() {
    follower.tell = { [self] in windowChanged($0) }
    follower.start()
    joinFirst(backoff: .milliseconds(100))
  }

  private func joinFirst(backoff: Duration) {
    guard !isDraining else { return }
    join { [self] isMember in
      guard isMember else {
        let pause = world.random.duration(backoff / 2...backoff)
        return world.at(pause, for: self) { [self] in joinFirst(backoff: min(backoff * 2, .seconds(2))) }
      }
      if let window = follower.window { windowChanged(window) }
      renew()
      tick()
      lookForStraysLater()
      sweepLater()
    }
  }

  private func join(then: @escaping (Bool) -> Void) {
    let asked = now
    grant({ $0.join(self.pod.description) }) { [self] outcome in
      guard case .granted(let granted, let window) = outcome else { return then(false) }
      fullWindow = window
      placement = MemberPlacement(
        incarnation: granted.incarnation, window: narrowed(window), leaseEnds: leaseEnd(asked: asked),
        admitsFrom: now + granted.admitsAfter)
      isTouched = true
      if !isDraining { table.becameReady() }
      world.tell(
        "\(name) is a member, incarnation \(world.story.short(granted.incarnation)), \(world.story.describe(window))")
      admitted(granted, window)
      then(true)
    }
  }

  enum GrantOutcome {
    case granted(SimulatedRegistry.Granted, Window)
    case departed
    case unavailable
  }

  /// The window that has this member in it may need a second call.
  private func grant(
    _ call: @escaping (inout SimulatedRegistry) -> SimulatedRegistry.Reply<SimulatedRegistry.Granted?>,
    then: @escaping (GrantOutcome) -> Void
  ) {
    world.callRegistry(from: self, call) { [self] reply in
      guard let reply else { return then(.unavailable) }
      guard let granted = reply.value else {
        return then(.departed)
      }
      guard reply.wait > .zero else {
        return then(granted.window.map { .granted(granted, $0) } ?? .unavailable)
      }
      windowAfter(granted.window?.current.stamp ?? .none, wait: reply.wait, attemptsLeft: 10) { window in
        then(window.map { .granted(granted, $0) } ?? .unavailable)
      }
    }
  }

  private func windowAfter(
    _ old: ViewStamp, wait: Duration, attemptsLeft: Int, then: @escaping (Window?) -> Void
  ) {
    world.at(wait, for: self) { [self] in
      world.callRegistry(from: self, { $0.readWindow() }) { [self] reply in
        guard let reply, attemptsLeft > 0 else { return then(nil) }
        if reply.wait == .zero || reply.value.map({ $0.current.stamp != old }) == true { return then(reply.value) }
        windowAfter(old, wait: reply.wait, attemptsLeft: attemptsLeft - 1, then: then)
      }
    }
  }

  private func admitted(_ granted: SimulatedRegistry.Granted, _ window: Window) {
    membership = (granted.incarnation, window)
    reachesRegistry = true
    follower.refresh()
    writeOffEarlierProcesses(window)
    acknowledge()
    tellOwners()
  }

  private func writeOffEarlierProcesses(_ window: Window) {
    guard let incarnation else { return }
    for member in window.current.members
    where member.podID == pod.description.podID && member.incarnation < incarnation
      && member.description.peerEndpoint == pod.description.peerEndpoint
    {
      world.callMembership(from: self, { $0.gone(member.incarnation) }) { _ in }
    }
  }

  // MARK: Renewing

  private func renew() {
    guard !hasStoppedKeeping, let incarnation = membership?.incarnation else { return }
    let started = world.now
    let asked = now
    let done = { [self] in
      if isPastGrace(now) { endAll(.membershipLost) }
      world.at(max(started + world.timing.renewalInterval - world.now, .zero), for: self) { [self] in renew() }
    }
    let failed = { [self] in
      reachesRegistry = false
      confirmOutage(then: done)
    }
    if mustJoinAnew { return joinAnew { $0 ? done() : failed() } }
    if isResuming, !isBroken(.lostResume) { return resume(incarnation, then: { $0 ? done() : failed() }) }
    world.callMembership(from: self, { $0.renew(incarnation) }) { [self] renewal in
      switch renewal {
      case nil: failed()
      case .lapsed: resume(incarnation, then: { $0 ? done() : failed() })
      case .renewed(let current, let takeovers, let order):
        if order != orderRead { readOrders() }
        changePlacement { $0.leaseExtended(until: leaseEnd(asked: asked)) }
        reachesRegistry = true
        take(takeovers, of: incarnation)
        let goOn = { [self] in
          restore { [self] isDone in
            guard isDone else { return failed() }
            acknowledge()
            writeOffTheGone()
            done()
          }
        }
        if current != follower.window?.current.stamp { follower.refresh { _ in goOn() } } else { goOn() }
      }
    }
  }

  private func resume(_ incarnation: Incarnation, then: @escaping (Bool) -> Void) {
    guard let floor = placement?.window.current ?? membership?.window.current else { return then(false) }
    let asked = now
    isResuming = true
    grant({ $0.resume(incarnation, self.pod.description, floor: floor) }) { [self] outcome in
      switch outcome {
      case .unavailable: then(false)
      case .departed: joinAnew(then: then)
      case .granted(let granted, let window):
        isResuming = false
        resumes += 1
        mayHaveGhosts = true
        giveUpMoves()
        toRestore = (table.records() + admissions.values.map(\.record)).sorted { $0.epoch < $1.epoch }
        let claimsEnd = now + world.timing.lease
        if window.current.stamp.version >= fullWindow?.current.stamp.version ?? 0 { fullWindow = window }
        world.tell("\(name) has resumed, \(world.story.describe(window))")
        changePlacement {
          $0.resumed(narrowed(window), leaseEnds: leaseEnd(asked: asked), claimsEnd: claimsEnd)
        }
        admitted(granted, window)
        drainAgain(incarnation) { [self] isDone in if isDone { restore(then: then) } else { then(false) } }
      }
    }
  }

  /// Others may have counted this incarnation's streams as closed.
  private func joinAnew(then: @escaping (Bool) -> Void) {
    world.tell("\(name) was written off; it closes its streams and joins anew")
    placement = nil
    isResuming = false
    mustJoinAnew = true
    endAll(.membershipLost)
    join { [self] isMember in
      guard isMember, let incarnation else { return then(false) }
      mustJoinAnew = false
      drainAgain(incarnation, then: then)
    }
  }

  private func drainAgain(_ incarnation: Incarnation, then: @escaping (Bool) -> Void) {
    guard isDraining else { return then(true) }
    world.callMembership(from: self, { $0.drain(incarnation) }) { then($0 != nil) }
  }

  private func restore(then: @escaping (Bool) -> Void) {
    guard !toRestore.isEmpty else {
      if mayHaveGhosts { takeAwayGhosts() }
      return then(true)
    }
    let records = toRestore.filter(backs)
    for record in toRestore where !backs(record) { later(.unregister(record)) }
    callRestore(records) { [self] superseded in
      guard let superseded else { return then(false) }
      toRestore = []
      superseded.forEach(self.superseded)
      for record in records where !backs(record) { later(.unregister(record)) }
      takeAwayGhosts()
      then(true)
    }
  }

  /// A registry that is older than it was may have records again of sessions that have ended or gone elsewhere.
  private func takeAwayGhosts() {
    guard let incarnation else { return }
    mayHaveGhosts = false
    world.callRegistry(from: self, { $0.index[incarnation] ?? [] }) { [self] keys in
      guard let keys else {
        mayHaveGhosts = true
        return
      }
      for key in keys.sorted(by: { ($0.user.text, $0.session.text) < ($1.user.text, $1.session.text) })
      where !table.holds(key) { later(.verify(key, isRepeated: false)) }
    }
  }

  // MARK: R2

  func acknowledge() {
    guard isBroken(.recoveringRecords) || toRestore.isEmpty && !isResuming else { return }
    guard !isAcknowledging, !hasStoppedKeeping, let placement, let view = viewToAcknowledge(placement) else { return }
    isAcknowledging = true
    let incarnation = placement.incarnation
    world.callMembership(from: self, { $0.acknowledge(incarnation, view) }) { [self] isTaken in
      isAcknowledging = false
      if isTaken == true { changePlacement { $0.acknowledgementTaken(view) } }
    }
  }

  private func viewToAcknowledge(_ placement: MemberPlacement) -> ViewStamp? {
    guard isBroken(.acknowledge) else { return placement.viewToAcknowledge }
    let current = placement.window.current.stamp
    guard acknowledgedEarly != current else { return nil }
    acknowledgedEarly = current
    return current
  }

  // MARK: Takeovers, sweeping

  func takeTakeovers() {
    guard let incarnation = membership?.incarnation else { return }
    world.callRegistry(from: self, { $0.takeovers[incarnation] ?? [] }) { [self] taken in
      if let taken { take(taken, of: incarnation) }
    }
  }

  private func take(_ taken: [PendingTakeover], of incarnation: Incarnation) {
    guard let last = taken.last?.id else { return }
    taken.forEach(takeoverTold)
    world.callRegistry(from: self, { $0.takeoversTaken(incarnation, through: last) }) { _ in }
  }

  private func sweepLater() {
    let interval = world.timing.renewalInterval
    world.at(world.random.duration(interval...interval * 2), for: self) { [self] in
      guard !hasStoppedKeeping else { return }
      world.callRegistry(from: self, { $0.sweep() }) { [self] _ in sweepLater() }
    }
  }
}
