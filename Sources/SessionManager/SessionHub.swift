/// The shell around the session table: performs what the table says, on calls.
///
/// One lock holds the table and the calls, and what the table decides is performed under it. That is what makes the
/// order right: a Welcome is queued in the step that makes a session live, so no message can come before it. The lock
/// is held for queueing only: an `EdgeCall`'s methods never block and never call back. Frames are encoded before it
/// is taken.
///
/// The placement rules (`MemberPlacement`) are applied under the same lock: a Welcome is judged in the step that sends it
/// (R1), and a claim in the step that looks at the user's sessions (R3). `SessionHub+Placement` has that part.
///
/// Work for the registry (register, unregister) is handed to the `Registrar`, which may wait.
internal import CMalloc
internal import HashRing
internal import Logging
internal import Placement
internal import Rebalancing
internal import RedisDirectory
internal import SessionEdge
internal import Sessions
internal import Synchronization
internal import Wire

final class SessionHub: Sendable {
  let podID: String
  let readiness = Readiness()
  let work = RegistryQueue()
  /// Signals: there may be something to tell an owner, to acknowledge.
  let reportWork = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  /// Signals: somebody knows a newer view.
  let staleWork = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  let acknowledgeWork = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  let follower: ViewFollower
  let observer: any SessionManagerObserver
  let limits: SessionLimits
  private let started = ContinuousClock.now
  let state: Mutex<State>

  /// More registrations at once are refused: the registry is behind, and waiting longer helps nobody.
  private static let maximumRegistrations = 8192

  struct State {
    var table: SessionTable
    var streams = OpenStreams()
    /// Nil before the first lease, and after the incarnation was written off.
    var placement: MemberPlacement?
    /// Registered sessions that wait until their user's owners know of them.
    var admissions: [StreamID: PendingAdmission] = [:]
    var registrations = 0
    var bursts = BurstWatch()
    var isDraining = false
    var resumes = 0
    /// Whether the last renewal succeeded.
    var reachesRegistry = false
    /// The moves of sessions away from here, and what others may send here.
    var mover: Mover
    var grants: MoveGrants

    /// Whether an owner is to be told something. Looked at before the reporter is woken, which every session would do twice.
    var hasReports: Bool { placement.map { !$0.ownersToTell.isEmpty } ?? false }

    func call(of stream: StreamID) -> (any EdgeCall)? { streams.call(of: stream) }

    /// The stream is over, for the placement too.
    @discardableResult
    mutating func drop(_ stream: StreamID) -> (any EdgeCall)? {
      if let pending = admissions[stream] { letGo(pending.held) }
      admitted(stream)
      guard let dropped = streams.remove(stream) else { return nil }
      if let hash = dropped.userHash { placement?.sessionEnded(userHash: hash) }
      return dropped.call
    }

    /// It does not wait for its welcome any more.
    mutating func admitted(_ stream: StreamID) {
      admissions[stream] = nil
      // What a storm has left is given back.
      if admissions.isEmpty { admissions = [:] }
    }
  }

  let lease: Duration
  /// Longer than an owner that does not answer can hold a session up: its lease, and a renewal that finds it over.
  let admissionLimit: Duration

  init(
    podID: String, limits: SessionLimits, settings: DirectorySettings, follower: ViewFollower,
    observer: any SessionManagerObserver
  ) {
    self.podID = podID
    self.limits = limits
    lease = settings.lease
    admissionLimit = settings.lease + settings.renewalInterval * 2
    self.follower = follower
    self.observer = observer
    state = Mutex(
      State(
        table: SessionTable(limits: limits), mover: Mover(limits: MoveLimits(rate: 0)), grants: MoveGrants(rate: 500)))
  }

  /// The newest window known here.
  var window: Window? { follower.window ?? state.withLock { $0.placement?.window } }

  /// Strays are counted for people to see, one look at the ring for each session.
  var load: MemberLoad {
    let sessions = state.withLock { $0.table.counts.live }
    guard let view = window?.current, let incarnation else {
      return MemberLoad(sessions: sessions, strays: 0, limit: limits.sessions)
    }
    // By incarnation: another process may have this pod's id by mistake, and then one of the two owns nothing.
    let strays = liveUserHashes.count { view.owner(ofUserHash: $0)?.incarnation != incarnation }
    return MemberLoad(sessions: sessions, strays: strays, limit: limits.sessions)
  }

  /// One for each live session, not all as of one moment: the lock is let go now and then.
  private var liveUserHashes: some Sequence<UInt64> {
    let part = 1_024
    let count = state.withLock { $0.streams.placeCount }
    return stride(from: 0, to: count, by: part).lazy.flatMap { start in
      self.state.withLock { state in
        state.streams.counted(in: start..<(start + part)).filter { state.table.isLive($0.stream) }.map(\.userHash)
      }
    }
  }

  // MARK: Where else to go

  func hash(of user: UserID) -> UInt64 { keyHash(user.text.utf8) }

  /// The user's owner and its successors, this process left out.
  func successors(of user: UserID, count: Int = 3) -> [Member] { others(hash: keyHash(user.text.utf8), count: count) }

  private func others(hash: UInt64, count: Int = 3) -> [Member] {
    others(hash: hash, in: window?.current, count: count)
  }

  private func others(hash: UInt64, in view: View?, count: Int = 3) -> [Member] {
    guard let view else { return [] }
    return Array(view.successors(ofUserHash: hash, count: count + 1).filter { $0.podID != podID }.prefix(count))
  }

  /// A stream that has not said whose it is gets any others, different ones for different streams.
  private func status(_ end: StreamEnd, _ stream: StreamID, _ user: UserID? = nil) -> EdgeStatus {
    let hash = user.map { keyHash($0.text.utf8) } ?? stream.rawValue &* 0x9E37_79B9_7F4A_7C15
    return EdgeStatus(end, endpoints: others(hash: hash))
  }

  /// - Parameter droppingQueued: ends it at once, without what is queued.
  func finish(
    _ call: (any EdgeCall)?, _ stream: StreamID, _ end: StreamEnd, user: UserID? = nil, droppingQueued: Bool = false
  ) {
    observer.streamEnded(end.reason)
    if droppingQueued { call?.endNow(status(end, stream, user)) } else { call?.end(status(end, stream, user)) }
  }

  func later(_ work: RegistryWork) { self.work.add(work) }

  // MARK: Streams

  func opened(_ call: any EdgeCall) {
    let stream = StreamID(rawValue: call.id)
    let end = state.withLock { state in
      let end = state.table.streamOpened(stream, now: now)
      if end == nil { state.streams.insert(call, stream) }
      return end
    }
    if let end { finish(call, stream, end) }
  }

  func helloReceived(_ call: any EdgeCall, _ request: HelloRequest, ticket: MoveTicket? = nil) {
    let stream = StreamID(rawValue: call.id)
    let chosen = request.sessionID.isEmpty ? identifierText(.random(in: .min ... .max), .random(in: .min ... .max)) : ""
    let userHash = keyHash(request.userID.utf8)
    let (onHello, refusal, hasReports) = state.withLock { state -> (SessionTable.OnHello, StreamEnd?, Bool) in
      let onHello = state.table.helloReceived(stream, request, chosenSessionID: chosen)
      guard case .register = onHello else {
        if case .end = onHello { state.drop(stream) }
        return (onHello, nil, false)
      }
      if let refusal = self.refusal(state) {
        _ = state.table.registrationFailed(stream)
        state.drop(stream)
        return (onHello, refusal, false)
      }
      state.registrations += 1
      state.streams.count(stream, userHash: userHash)
      state.placement?.sessionArriving(userHash: userHash)
      return (onHello, nil, state.hasReports)
    }
    switch onHello {
    case .register(let hello):
      if let refusal { return finish(call, stream, refusal, user: hello.key.user) }
      // Side by side: the owners are told while the record is written.
      if hasReports { reportWork.continuation.yield() }
      later(.register(stream, hello, ticket))
    case .end(let end): finish(call, stream, end)
    case .endSecond(let second): end(call, second)
    case .nothing: break
    }
  }

  private func refusal(_ state: State) -> StreamEnd? {
    guard let placement = state.placement else { return .leaseEnded }
    guard placement.mayAdmit(now: now) else { return placement.hasLease(now: now) ? .recovering : .leaseEnded }
    guard state.registrations < Self.maximumRegistrations else {
      return StreamEnd(.full, "this pod is busy registering sessions; connect to another one, or again later")
    }
    return nil
  }

  func pingReceived(_ call: any EdgeCall, nonce: UInt64) {
    let stream = StreamID(rawValue: call.id)
    let pong = pongFrame(nonce: nonce)
    let isSlow = state.withLock { state in
      // Before its Welcome a stream gets nothing.
      guard state.table.isLive(stream) else { return false }
      guard state.table.answerQueued(stream, bytes: pong.count + EdgeAnswer.overheadBytes) else { return true }
      call.answer(pong)
      return false
    }
    if isSlow { end(call, StreamEnd(.slow, "pings are sent and their answers not read")) }
  }

  func acknowledged(_ messages: Int) { observer.acknowledged(messages) }

  func hasSaidHello(_ call: any EdgeCall) -> Bool {
    state.withLock { $0.table.hasSaidHello(StreamID(rawValue: call.id)) }
  }

  /// Ends a stream for what its client did.
  func end(_ call: any EdgeCall, _ end: StreamEnd) {
    // What came behind the frame that ended it ends nothing more.
    guard state.withLock({ $0.call(of: StreamID(rawValue: call.id)) != nil }) else { return }
    forget(StreamID(rawValue: call.id))
    finish(call, StreamID(rawValue: call.id), end)
  }

  /// The client said that it is done.
  func left(_ call: any EdgeCall) {
    forget(StreamID(rawValue: call.id))
    call.end(EdgeStatus(.ok))
  }

  func closed(_ call: any EdgeCall, _ reason: EdgeCloseReason) {
    let stream = StreamID(rawValue: call.id)
    forget(stream, isClosed: true)
    observer.streamClosed(StreamClosing(reason))
  }

  private func forget(_ stream: StreamID, isClosed: Bool = false) {
    let (work, hasReports) = state.withLock { state in
      // Nobody is left to be told.
      if isClosed { _ = state.table.takeUntoldLoss(of: stream) }
      return (state.close(stream), state.hasReports)
    }
    if let work { later(work) }
    if hasReports { reportWork.continuation.yield() }
  }

  // MARK: Registration

  /// Those whose clients have not gone while they waited for their registration, which the others need not any more.
  func stillThere<Arrival: Sendable>(_ arrivals: [Arrival], stream: (Arrival) -> StreamID) -> [Arrival] {
    state.withLock { state in
      let there = arrivals.filter { state.call(of: stream($0)) != nil }
      state.registrations -= arrivals.count - there.count
      return there
    }
  }

  /// A stream whose session's record is written.
  struct Registered: Sendable {
    let stream: StreamID
    let record: SessionRecord
    /// The record that was replaced, if its stream is to live until this one is welcomed.
    var movedFrom: SessionRecord?
  }

  /// The sessions are welcomed at once or when their users' owners know of them (R1).
  func registered(_ sessions: [Registered], after duration: Duration) {
    var rest = sessions[...]
    while !rest.isEmpty {
      let some = Array(rest.prefix(Self.registeredAtOnce))
      rest = rest.dropFirst(some.count)
      welcome(some, after: duration)
    }
  }

  /// So many share the lock; others that want it wait for these.
  private static let registeredAtOnce = 64

  private func welcome(_ sessions: [Registered], after duration: Duration) {
    let view = window?.current
    let pending = sessions.map { session in
      let user = hash(of: session.record.key.user)
      let welcome = welcomeFrame(
        session.record, view: view?.stamp ?? .none, successors: others(hash: user, in: view),
        maximumMessageBytes: limits.messageBytes)
      return PendingAdmission(
        record: session.record, movedFrom: session.movedFrom, userHash: user, welcome: welcome, since: now,
        registration: duration)
    }
    settle { state, wakes in
      state.registrations -= sessions.count
      for (session, pending) in zip(sessions, pending) {
        if session.movedFrom != nil { state.grants.arrived(now: now) }
        state.admissions[session.stream] = pending
      }
      return state.settleAdmissions(sessions.map(\.stream), now: now, limit: admissionLimit, &wakes)
    }
  }

  func registrationFailed(_ stream: StreamID, _ hello: Hello, _ error: DirectoryError) {
    registrationGivenUp(
      stream, hello,
      StreamEnd(
        .registryUnavailable, "the session could not be registered: \(error.message); connect again, or to another pod")
    )
    if error.code == .unavailable { later(.verify(hello.key)) }
  }

  /// The stream, if there still is one, ends with `end`.
  func registrationGivenUp(_ stream: StreamID, _ hello: Hello, _ end: StreamEnd) {
    let call = state.withLock { state -> (any EdgeCall)? in
      state.registrations -= 1
      guard state.table.registrationFailed(stream) else { return nil }
      return state.drop(stream)
    }
    reportWork.continuation.yield()
    finish(call, stream, end, user: hello.key.user)
  }

  /// Whether a record of ours has a stream behind it, or one on its way.
  func holds(_ key: SessionKey) -> Bool { state.withLock { $0.table.holds(key) } }

  /// Whether a stream stands behind exactly this record: live, or waiting for its welcome.
  func backs(_ record: SessionRecord) -> Bool {
    state.withLock { state in
      state.table.holds(record) || state.admissions.values.contains { $0.record == record }
    }
  }

  func isRegistering(_ key: SessionKey) -> Bool { state.withLock { $0.table.isRegistering(key) } }

  /// Whether the session's live stream has, or has taken, the epoch of its record.
  func adopt(_ record: SessionRecord) -> Bool { state.withLock { $0.table.adopt(record) } }

  var incarnation: Incarnation? { state.withLock { $0.placement?.incarnation } }

  /// What a registry that lost its data has to be told again: also of sessions that wait for their welcome.
  var writtenRecords: [SessionRecord] {
    state.withLock { state in state.table.records() + state.admissions.values.map(\.record) }
  }

  /// How often the pod has resumed: what was registered before may be lost.
  var resumes: Int { state.withLock { $0.resumes } }

  // MARK: Takeovers

  /// What the registry was told of a session of ours.
  func takeoverTold(_ takeover: Takeover) {
    if takeover.newPodID == podID, !holds(takeover.key) {
      // Given back by a move that came to nothing, and its stream has ended meanwhile.
      later(.verify(takeover.key))
    }
    if takeover.newPodID != podID, let move = state.withLock({ $0.mover.released(takeover.key) }) {
      observer.moved(.moved, lasted: now - move.begun)
    }
    takenOver(takeover.key, newEpoch: takeover.newEpoch)
  }

  /// The session is elsewhere with `newEpoch`: its stream here, if it has one that is older, ends.
  func takenOver(_ key: SessionKey, newEpoch: Epoch) {
    let ended = state.withLock { state -> (call: (any EdgeCall)?, stream: StreamID, record: SessionRecord?)? in
      let record = state.table.record(of: key)
      guard let stream = state.table.takenOver(key, newEpoch: newEpoch) else { return nil }
      return (state.drop(stream), stream, record)
    }
    guard let ended else { return }
    // The record is another's by now; what is left of it here is an entry in the index.
    if let record = ended.record { later(.unregister(record)) }
    if let call = ended.call { finish(call, ended.stream, .takenOver, user: key.user) }
  }

  /// The registry has kept this record instead of one of ours: one with an epoch as large ends our stream, unless it is
  /// ours as well.
  func superseded(by stored: SessionRecord) {
    let isOurs = stored.incarnation == incarnation
    // A session that was asked to move: the pod that has registered it welcomes it, or gives the record back.
    if !isOurs, state.withLock({ $0.mover.isMoving(stored.key) }) { return }
    takenOver(stored.key, newEpoch: isOurs ? stored.epoch : Epoch(rawValue: stored.epoch.rawValue + 1))
  }

  // MARK: Time

  /// By a clock that counts the time in which the machine was suspended.
  var now: Duration { started.duration(to: .now) }

  /// To be called several times a second.
  func tick() {
    let late = state.withLock { state in
      state.table.helloTimeouts(now: now).compactMap { stream in state.drop(stream).map { ($0, stream) } }
    }
    let end = StreamEnd(.helloTimeout, "no Hello came within \(limits.helloTimeout); the first frame must be Hello")
    for (call, stream) in late { finish(call, stream, end) }
    let (counts, streams, moves, isAfterBurst) = state.withLock { state in
      let counts = state.table.counts
      let isAfterBurst = state.bursts.isOver(
        registrations: state.registrations, queuedBytes: counts.queuedBytes, now: now)
      return (counts, state.table.streamCount, state.mover.underWay, isAfterBurst)
    }
    observer.sessionsChanged(counts, streams: streams, movesUnderWay: moves)
    if isAfterBurst { return_free_pages() }
    placementTick()
    updateReadiness()
  }

  // MARK: Draining

  /// Admits nobody any more; what is here stays until it has moved, or `endAll`.
  func startDraining() {
    state.withLock { state in
      state.isDraining = true
      state.table.startedDraining()
    }
    updateReadiness()
  }

  var isDraining: Bool { state.withLock { $0.isDraining } }

  var streamCount: Int { state.withLock { $0.table.streamCount } }

  /// Ends whatever is still open.
  func endAll(_ end: StreamEnd) {
    let ended = state.withLock { state in
      state.table.streamIDs.map { stream in
        let user = state.table.snapshot(of: stream)?.record.key.user
        let call = state.call(of: stream)
        return (stream, call, user, state.close(stream))
      }
    }
    reportWork.continuation.yield()
    for (stream, call, user, work) in ended {
      finish(call, stream, end, user: user)
      if let work { later(work) }
    }
  }
}

extension StreamEnd {
  static let takenOver = StreamEnd(
    .takenOver, "this session was opened again on another stream, which replaces this one")
}

extension StreamClosing {
  fileprivate init(_ reason: EdgeCloseReason) {
    switch reason {
    case .ended: self = .ended
    case .cancelledByClient: self = .cancelledByClient
    case .connectionLost: self = .connectionLost
    case .edgeStopped: self = .edgeStopped
    }
  }
}
