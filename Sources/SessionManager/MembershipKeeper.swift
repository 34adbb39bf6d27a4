/// Keeps the pod a member: joins, renews, resumes, acknowledges views, and in the end leaves.
///
/// The lease is measured from before the renewal was sent, on `ContinuousClock`, which counts the time a machine was
/// suspended (on Linux the runtime reads CLOCK_BOOTTIME), so that the pod's own idea of it always ends first.
///
/// While the registry can't be reached nothing is taken from the clients: the pod keeps its streams, admits nobody
/// once its lease is over, and goes on renewing. When the registry answers that it does not know the pod (its lease
/// ended, or Redis lost its data), the pod resumes and writes its records again, in batches. Only when the registry
/// has written the incarnation off does the pod close its streams and join as a new one.
internal import Logging
internal import Placement
internal import RedisDirectory
internal import SessionEdge
internal import Sessions
internal import Synchronization

final class MembershipKeeper: Sendable {
  private let description: MemberDescription
  private let settings: DirectorySettings
  private let hub: SessionHub
  private let reporter: StrayReporter
  private let orders: OrderFollower
  private let directory: RedisDirectory
  private let follower: ViewFollower
  private let observer: any SessionManagerObserver
  private let logger: Logger
  private let state: Mutex<State>
  /// Signals: members in grace may be gone.
  private let goneWork = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  private static let restoreBatch = 500
  private static let sweepLimit = 500

  private struct State {
    var membership: Membership
    /// Records to be written again.
    var toRestore: [SessionRecord] = []
    var isFailing = false
    /// After a resume, until the index was looked through.
    var mayHaveGhosts = false
    /// A resume was asked for, and its answer has not come: the registry may count this pod as a member again, while the
    /// pod has not done what a resume asks of it.
    var isResuming = false
    /// Written off, and not a new incarnation yet: the old one is over, even if a registry that lost its data would take
    /// it back.
    var mustJoinAnew = false
  }

  private init(
    _ description: MemberDescription, _ settings: DirectorySettings, _ hub: SessionHub, _ reporter: StrayReporter,
    _ orders: OrderFollower, _ directory: RedisDirectory, _ follower: ViewFollower,
    _ observer: any SessionManagerObserver, _ logger: Logger,
    _ membership: Membership
  ) {
    self.description = description
    self.settings = settings
    self.hub = hub
    self.reporter = reporter
    self.orders = orders
    self.directory = directory
    self.follower = follower
    self.observer = observer
    self.logger = logger
    state = Mutex(State(membership: membership))
  }

  private var incarnation: Incarnation { state.withLock { $0.membership.incarnation } }

  // MARK: Joining

  /// Tries until the registry answers; nil when `stop` came first.
  /// - Throws: what trying again does not mend: other settings, a malformed pod id.
  static func join(
    _ description: MemberDescription, settings: DirectorySettings, hub: SessionHub, reporter: StrayReporter,
    orders: OrderFollower, directory: RedisDirectory, follower: ViewFollower, observer: any SessionManagerObserver,
    logger: Logger,
    unless stop: OneShot<Duration>
  ) async throws -> MembershipKeeper? {
    var backoff = Duration.milliseconds(100)
    while stop.result == nil {
      let before = ContinuousClock.now
      do {
        let membership = try await directory.join(description)
        let keeper = MembershipKeeper(
          description, settings, hub, reporter, orders, directory, follower, observer, logger, membership)
        hub.joined(membership, asked: before)
        await keeper.admitted(membership)
        try await keeper.checkOwnAddress()
        return keeper
      } catch let error as DirectoryError where error.code == .unavailable {
        logger.warning(
          "The pod can't join yet, because the registry does not answer; it tries again",
          metadata: ["error": "\(error.message)", "retry.seconds": "\(backoff.inSeconds)"])
        _ = await stop.value(before: .now.advanced(by: backoff * Double.random(in: 0.5...1)))
        backoff = min(backoff * 2, .seconds(2))
      } catch let error as DirectoryError {
        throw SessionManagerError(message: "the pod \(description.podID) can't join: \(error.message)")
      }
    }
    return nil
  }

  private func admitted(_ membership: Membership) async {
    state.withLock { $0.membership = membership }
    hub.contactedRegistry(true)
    _ = try? await follower.refresh()
    logger.info(
      "The pod is a member",
      metadata: [
        "incarnation": "\(membership.incarnation)", "view": "\(membership.window.current.stamp)",
        "lease.seconds": "\(membership.lease.inSeconds)",
      ])
    await writeOffEarlierProcesses(membership.window)
    warnOfNamesakes(membership.window)
    await acknowledge()
  }

  /// Where others call this pod another one may answer, by a mistake in --peer-advertise: they would take this one to be
  /// gone, again and again.
  private func checkOwnAddress() async throws {
    let address = description.peerEndpoint
    switch await reporter.ask(Member(incarnation: incarnation, description: description, state: .active, since: 0)) {
    case .answered: break
    case .gone:
      try? await directory.leave(incarnation)
      throw SessionManagerError(
        message: """
          the pod \(description.podID) says that other pods reach it at \(address), and there another process answers, or \
          none: set --peer-advertise (or --peer-listen) to an address of this pod's own
          """)
    case .silent(let reason):
      logger.warning(
        "The pod can't reach itself where it tells others to call it; if they can't either, its sessions cost pushes a read",
        metadata: ["peer.address": "\(address)", "error": "\(reason)"])
    }
  }

  /// One that lives with this pod's id at another address is a mistake: of the two, the one that joined later owns the
  /// id's part of the ring, and every session of the other is a stray.
  private func warnOfNamesakes(_ window: Window) {
    let namesakes = window.current.members.filter {
      $0.podID == description.podID && $0.incarnation != incarnation && $0.state == .active
        && $0.description.peerEndpoint != description.peerEndpoint
    }
    for member in namesakes {
      logger.warning(
        "Another process is a member with this pod's id at another address; give each pod an id of its own (--pod-id)",
        metadata: [
          "other.incarnation": "\(member.incarnation)", "other.address": "\(member.description.peerEndpoint)",
          "own.address": "\(description.peerEndpoint)",
        ])
    }
  }

  /// The same pod at the same address was another process before: it can't listen there any more, which it did until its
  /// streams were closed, so it is gone.
  private func writeOffEarlierProcesses(_ window: Window) async {
    let earlier = window.current.members.filter {
      $0.podID == description.podID && $0.description.peerEndpoint == description.peerEndpoint
        && $0.incarnation < incarnation
    }
    for member in earlier { try? await directory.gone(member.incarnation) }
  }

  // MARK: Keeping

  /// Until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.keepRenewing() }
      group.addTask { for await window in self.follower.windows() { self.hub.windowChanged(window) } }
      group.addTask { for await _ in self.hub.acknowledgeWork.stream { await self.acknowledge() } }
      group.addTask { for await _ in self.hub.staleWork.stream { _ = try? await self.follower.refresh() } }
      // Beside the renewals: a member that is silent takes as long as a call may, and the lease does not wait for it.
      group.addTask { for await _ in self.goneWork.stream { await self.reporter.writeOffTheGone() } }
      group.addTask { await self.keepTakingTakeovers() }
      group.addTask { await self.keepSweeping() }
    }
  }

  private func keepRenewing() async {
    while !Task.isCancelled {
      let start = ContinuousClock.now
      await renew()
      try? await Task.sleep(until: start.advanced(by: settings.renewalInterval), clock: .continuous)
    }
  }

  private func renew() async {
    let before = ContinuousClock.now
    do {
      if state.withLock({ $0.mustJoinAnew }) { return try await joinAnew() }
      if state.withLock({ $0.isResuming }) {
        try await resume()
        return endStreamsAfterGrace()
      }
      let load = hub.load
      switch try await directory.renew(incarnation, load: load) {
      case .renewed(let lease, let current, let takeovers, let order):
        renewed(lease, before, strays: load.strays)
        takeovers.forEach(hub.takeoverTold)
        orders.told(order)
        if current != follower.window?.current.stamp { _ = try? await follower.refresh() }
        try await restore()
        await acknowledge()
        goneWork.continuation.yield()
      case .lapsed:
        try await resume()
      }
    } catch {
      failed(error)
      if error.code == .unavailable { await confirmOutage() }
    }
    endStreamsAfterGrace()
  }

  /// The word of the others counts until the next renewals have been tried.
  private func confirmOutage() async {
    let asked = ContinuousClock.now
    let isConfirmed = await reporter.isOutageConfirmed()
    hub.outage(
      isConfirmed: isConfirmed, asked: asked.duration(to: .now),
      for: settings.renewalInterval * 3 + PeerCalls.timeout)
  }

  /// Past its grace a pod counts as gone, so its clients have to go elsewhere, unless no pod reaches the registry: then
  /// nobody can count it as anything.
  private func endStreamsAfterGrace() {
    guard hub.isPastGrace(settings.grace) else { return }
    hub.endAll(
      StreamEnd(.membershipLost, "this pod was cut off from the registry for longer than its grace; connect again"))
  }

  private func renewed(_ lease: Duration, _ before: ContinuousClock.Instant, strays: Int) {
    hub.leaseExtended(lease, asked: before)
    hub.contactedRegistry(true)
    let isSettled = follower.window.map { $0.settled.stamp == $0.current.stamp } ?? false
    observer.renewed(lease: lease, strays: strays, isSettled: isSettled)
    let wasFailing = state.withLock { state in
      defer { state.isFailing = false }
      return state.isFailing
    }
    if wasFailing { logger.info("The pod's lease is renewed again") }
  }

  /// Told once, not each second.
  private func failed(_ error: DirectoryError) {
    let leaseLeft = hub.leaseLeft ?? .zero
    hub.contactedRegistry(false)
    observer.renewalFailed(leaseLeft: leaseLeft)
    let isNew = state.withLock { state in
      defer { state.isFailing = true }
      return !state.isFailing
    }
    guard isNew else { return }
    logger.warning(
      "The pod's lease was not renewed; its sessions stay, and it admits new ones only while the lease lasts",
      metadata: ["error": "\(error.message)", "lease.left.seconds": "\(leaseLeft.inSeconds)"])
  }

  // MARK: Resuming

  private func resume() async throws(DirectoryError) {
    let floor =
      hub.readPlacement { $0.window.current } ?? state.withLock { $0.membership.window.current }
    logger.warning(
      "The registry does not know this pod: its lease ended, or Redis lost its data; resuming",
      metadata: ["incarnation": "\(incarnation)", "floor": "\(floor.stamp)"])
    let before = ContinuousClock.now
    state.withLock { $0.isResuming = true }
    do {
      let membership = try await directory.resume(incarnation, description, floor: floor)
      state.withLock { $0.isResuming = false }
      observer.resumed()
      state.withLock {
        $0.toRestore = hub.writtenRecords
        $0.mayHaveGhosts = true
      }
      hub.resumed(membership, asked: before)
      await admitted(membership)
    } catch  where error.code == .departed {
      try await joinAnew()
      return
    }
    if hub.isDraining { try await directory.drain(incarnation) }
    try await restore()
  }

  /// The registry gave this incarnation up, and others may have counted its streams as closed.
  private func joinAnew() async throws(DirectoryError) {
    logger.warning("The registry has written this pod off: it ends its streams and joins as a new incarnation")
    hub.membershipEnded()
    state.withLock { state in
      state.isResuming = false
      state.mustJoinAnew = true
    }
    hub.endAll(
      StreamEnd(.membershipLost, "this pod was cut off from the registry for longer than its grace; connect again"))
    let before = ContinuousClock.now
    let membership = try await directory.join(description)
    state.withLock { $0.mustJoinAnew = false }
    hub.joined(membership, asked: before)
    await admitted(membership)
    if hub.isDraining { try await directory.drain(incarnation) }
  }

  /// Writes what is left to write again; goes on at the next renewal when the registry goes away meanwhile.
  private func restore() async throws(DirectoryError) {
    while case let batch = state.withLock({ Array($0.toRestore.suffix(Self.restoreBatch)) }), !batch.isEmpty {
      // Those that ended since are not written; an earlier attempt may have, without an answer.
      let records = batch.filter(hub.backs)
      for record in batch where !hub.backs(record) { hub.later(.unregister(record)) }
      let superseded = try await directory.restore(records)
      state.withLock { $0.toRestore.removeLast(batch.count) }
      for stored in superseded { hub.superseded(by: stored) }
      // Those that ended while they were written.
      for record in records where !hub.backs(record) { hub.later(.unregister(record)) }
      observer.restored(records.count - superseded.count, superseded: superseded.count)
    }
    if state.withLock({ $0.mayHaveGhosts }) { try await takeAwayGhosts() }
    await acknowledge()
  }

  /// A registry that is older than it was may have records again of sessions that have ended or gone elsewhere.
  private func takeAwayGhosts() async throws(DirectoryError) {
    let incarnation = incarnation
    var cursor: UInt64 = 0
    repeat {
      let page = try await directory.indexedSessions(of: incarnation, cursor: cursor)
      for key in page.sessions where !hub.holds(key) { hub.later(.verify(key)) }
      cursor = page.next
    } while cursor != 0
    state.withLock { $0.mayHaveGhosts = false }
  }

  // MARK: Views, takeovers, sweeping

  /// R2: when the placement says so. Not before all records are written again after a loss of data: a view that settled
  /// since then is how everybody knows that the registry knows of every session again.
  private func acknowledge() async {
    while state.withLock({ $0.toRestore.isEmpty && !$0.isResuming }),
      let (incarnation, view) = hub.readPlacement({ placement in
        placement.viewToAcknowledge.map { (placement.incarnation, $0) }
      }) ?? nil
    {
      guard (try? await directory.acknowledge(incarnation, view: view)) == true else { return }
      hub.changePlacement { $0.acknowledgementTaken(view) }
    }
  }

  /// Of the incarnation at the start; after joining anew the renewals take them.
  private func keepTakingTakeovers() async {
    for await _ in follower.takeoverHints(for: incarnation) {
      guard let takeovers = try? await directory.takeTakeovers(incarnation) else { continue }
      takeovers.forEach(hub.takeoverTold)
    }
  }

  /// Every pod does, at its own moments; each call is bounded, so a dead pod's records go at a steady rate.
  private func keepSweeping() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: settings.renewalInterval * Double.random(in: 1...2))
      guard !Task.isCancelled, let swept = try? await directory.sweep(limit: Self.sweepLimit) else { continue }
      guard swept.deleted > 0 else { continue }
      observer.swept(swept.deleted)
      logger.info(
        "Swept records of dead incarnations",
        metadata: ["records": "\(swept.deleted)", "incarnations.left": "\(swept.incarnationsLeft)"])
    }
  }

  // MARK: Leaving

  /// Out of the ring, with the lease kept.
  func drain() async {
    do {
      try await directory.drain(incarnation)
    } catch {
      logger.warning("The registry was not told that the pod drains", metadata: ["error": "\(error.message)"])
    }
  }

  /// To be called when `run` has returned: a renewal after it would make the pod a member again.
  func leave() async {
    let incarnation = incarnation
    // Once it has left, the others may settle without it: it claims nothing from before it says so.
    hub.membershipEnded()
    do {
      try await directory.leave(incarnation)
    } catch {
      logger.warning(
        "The registry was not told that the pod left: its lease and its grace run out instead",
        metadata: ["error": "\(error.message)"])
    }
  }
}
