/// The shell around the session table: performs what the table says, on calls.
///
/// One lock holds the table and the calls, and what the table decides is performed under it. That is what makes the
/// order right: a Welcome is queued in the step that makes a session live, so no message can come before it. The lock
/// is held for queueing only: an `EdgeCall`'s methods never block and never call back. Frames are encoded before it
/// is taken.
///
/// Work for the registry (register, unregister) is handed to the `Registrar`, which may wait.
internal import HashRing
internal import Logging
internal import Placement
internal import RedisDirectory
internal import SessionEdge
internal import Sessions
internal import Synchronization
internal import Wire

/// What the registry has to be asked for, besides membership.
enum RegistryWork: Sendable {
  case register(StreamID, Hello)
  /// The record of a stream that is gone.
  case unregister(SessionRecord)
  /// A registration of unknown outcome: a record of ours that no stream backs must go.
  case verify(SessionKey)
}

final class SessionHub: Sendable {
  let podID: String
  let readiness = Readiness()
  let work = AsyncStream.makeStream(of: RegistryWork.self)
  private let follower: ViewFollower
  private let observer: any SessionManagerObserver
  private let limits: SessionLimits
  private let started = ContinuousClock.now
  private let state: Mutex<State>

  /// More registrations at once are refused: the registry is behind, and waiting longer helps nobody.
  private static let maximumRegistrations = 8192

  private struct State {
    var table: SessionTable
    var calls: [StreamID: any EdgeCall] = [:]
    var membership: Membership?
    /// By a clock that counts suspension; nil before the first lease.
    var leaseEnds: ContinuousClock.Instant?
    var registrations = 0
    var isDraining = false
  }

  init(podID: String, limits: SessionLimits, follower: ViewFollower, observer: any SessionManagerObserver) {
    self.podID = podID
    self.limits = limits
    self.follower = follower
    self.observer = observer
    state = Mutex(State(table: SessionTable(limits: limits)))
  }

  // MARK: Membership

  func joined(_ membership: Membership, leaseEnds: ContinuousClock.Instant) {
    state.withLock { state in
      state.membership = membership
      state.leaseEnds = leaseEnds
      if !state.isDraining { state.table.becameReady() }
    }
    updateReadiness()
  }

  /// The registry has written the incarnation off. Nobody is admitted until `joined` comes with a new one: a record of
  /// the old one would be void from the start, and pushes would pass its session by.
  func membershipEnded() {
    state.withLock { state in
      state.membership = nil
      state.leaseEnds = nil
    }
    updateReadiness()
  }

  func leaseExtended(until end: ContinuousClock.Instant) {
    state.withLock { $0.leaseEnds = end }
    updateReadiness()
  }

  var leaseLeft: Duration? {
    state.withLock { $0.leaseEnds }.map { ContinuousClock.now.duration(to: $0) }
  }

  var notReadyReason: String? {
    let (isJoined, isDraining, leaseEnds) = state.withLock { ($0.membership != nil, $0.isDraining, $0.leaseEnds) }
    if isDraining { return "the pod is leaving" }
    guard isJoined, let leaseEnds else { return "the pod has not joined its cluster yet" }
    if leaseEnds <= .now { return "the pod's lease ended and the registry can't be reached; it admits no sessions" }
    return nil
  }

  func updateReadiness() { readiness.set(notReadyReason == nil) }

  /// The newest window known here.
  var window: Window? { follower.window ?? state.withLock { $0.membership?.window } }

  /// Strays are counted for people to see, one look at the ring for each session.
  var load: MemberLoad {
    let records = records
    guard let view = window?.current else { return MemberLoad(sessions: records.count, strays: 0) }
    let strays = records.count { record in
      view.owner(ofUserHash: keyHash(record.key.user.text.utf8))?.podID != podID
    }
    return MemberLoad(sessions: records.count, strays: strays)
  }

  // MARK: Where else to go

  func hash(of user: UserID) -> UInt64 { keyHash(user.text.utf8) }

  /// The user's owner and its successors, this process left out.
  func successors(of user: UserID, count: Int = 3) -> [Member] { others(hash: keyHash(user.text.utf8), count: count) }

  private func others(hash: UInt64, count: Int = 3) -> [Member] {
    guard let view = window?.current else { return [] }
    return Array(view.successors(ofUserHash: hash, count: count + 1).filter { $0.podID != podID }.prefix(count))
  }

  /// A stream that has not said whose it is gets any others, different ones for different streams.
  private func status(_ end: StreamEnd, _ stream: StreamID, _ user: UserID? = nil) -> EdgeStatus {
    let hash = user.map { keyHash($0.text.utf8) } ?? stream.rawValue &* 0x9E37_79B9_7F4A_7C15
    return EdgeStatus(end, endpoints: others(hash: hash))
  }

  private func finish(_ call: (any EdgeCall)?, _ stream: StreamID, _ end: StreamEnd, user: UserID? = nil) {
    observer.streamEnded(end.reason)
    call?.end(status(end, stream, user))
  }

  private func later(_ work: RegistryWork) { self.work.continuation.yield(work) }

  // MARK: Streams

  func opened(_ call: any EdgeCall) {
    let stream = StreamID(rawValue: call.id)
    let end = state.withLock { state in
      let end = state.table.streamOpened(stream, now: now)
      if end == nil { state.calls[stream] = call }
      return end
    }
    if let end { finish(call, stream, end) }
  }

  func helloReceived(_ call: any EdgeCall, _ request: HelloRequest) {
    let stream = StreamID(rawValue: call.id)
    let chosen = request.sessionID.isEmpty ? randomSessionID() : ""
    let (onHello, refusal) = state.withLock { state -> (SessionTable.OnHello, StreamEnd?) in
      let onHello = state.table.helloReceived(stream, request, chosenSessionID: chosen)
      guard case .register = onHello else {
        if case .end = onHello { state.calls[stream] = nil }
        return (onHello, nil)
      }
      if let refusal = self.refusal(state) {
        _ = state.table.registrationFailed(stream)
        state.calls[stream] = nil
        return (onHello, refusal)
      }
      state.registrations += 1
      return (onHello, nil)
    }
    switch onHello {
    case .register(let hello):
      if let refusal { finish(call, stream, refusal, user: hello.key.user) } else { later(.register(stream, hello)) }
    case .end(let end, let record):
      if let record { later(.unregister(record)) }
      finish(call, stream, end)
    case .nothing:
      break
    }
  }

  private func refusal(_ state: State) -> StreamEnd? {
    guard let leaseEnds = state.leaseEnds, leaseEnds > .now else { return .leaseEnded }
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
      guard state.table.snapshot(of: stream) != nil else { return false }
      guard state.table.answerQueued(stream, frameBytes: pong.count) else { return true }
      call.send(pong)
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
    forget(StreamID(rawValue: call.id))
    finish(call, StreamID(rawValue: call.id), end)
  }

  /// The client said that it is done.
  func left(_ call: any EdgeCall) {
    forget(StreamID(rawValue: call.id))
    call.end(EdgeStatus(.ok))
  }

  func bytesWritten(_ call: any EdgeCall, _ count: Int) {
    state.withLock { $0.table.bytesWritten(StreamID(rawValue: call.id), count) }
  }

  func closed(_ call: any EdgeCall, _ reason: EdgeCloseReason) {
    forget(StreamID(rawValue: call.id))
    observer.streamClosed(reason.label)
  }

  private func forget(_ stream: StreamID) {
    let record = state.withLock { state in
      state.calls[stream] = nil
      return state.table.streamClosed(stream)
    }
    if let record { later(.unregister(record)) }
  }

  // MARK: Registration

  /// What became of a record that was written.
  private enum Fate {
    case welcomed
    /// By a later one, here; the registry has that one already.
    case replaced
    /// No stream stands behind it.
    case unbacked
  }

  func registered(_ stream: StreamID, _ record: SessionRecord, after duration: Duration) {
    let view = window
    let welcome = welcomeFrame(
      record, view: view?.current.stamp ?? .none, successors: successors(of: record.key.user),
      maximumMessageBytes: limits.messageBytes)
    var ended: [(call: any EdgeCall, stream: StreamID, end: StreamEnd)] = []
    let fate = state.withLock { state -> Fate in
      state.registrations -= 1
      guard let leaseEnds = state.leaseEnds, leaseEnds > .now, record.incarnation == state.membership?.incarnation
      else {
        // The registration took longer than the lease or the incarnation: welcoming it now could make a claim
        // elsewhere wrong (R1).
        if state.table.registrationFailed(stream), let call = state.calls.removeValue(forKey: stream) {
          ended.append((call, stream, .leaseEnded))
        }
        return .unbacked
      }
      switch state.table.registered(stream, record) {
      case .welcome(_, let replaced):
        state.table.noticeQueued(stream, frameBytes: welcome.count)
        state.calls[stream]?.send(welcome)
        if let replaced, let call = state.calls.removeValue(forKey: replaced) {
          ended.append((call, replaced, .takenOver))
        }
        return .welcomed
      case .superseded:
        if let call = state.calls.removeValue(forKey: stream) { ended.append((call, stream, .takenOver)) }
        return .replaced
      case .gone:
        return .unbacked
      }
    }
    switch fate {
    case .welcomed: observer.sessionWelcomed(registration: duration)
    case .unbacked: later(.unregister(record))
    case .replaced: break
    }
    for (call, stream, end) in ended { finish(call, stream, end, user: record.key.user) }
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
      return state.calls.removeValue(forKey: stream)
    }
    finish(call, stream, end, user: hello.key.user)
  }

  /// Whether a record of ours has a stream behind it, or one on its way.
  func holds(_ key: SessionKey) -> Bool { state.withLock { $0.table.holds(key) } }

  func holds(_ record: SessionRecord) -> Bool { state.withLock { $0.table.holds(record) } }

  var incarnation: Incarnation? { state.withLock { $0.membership?.incarnation } }

  var records: [SessionRecord] { state.withLock { $0.table.records() } }

  // MARK: Takeovers

  /// The session is elsewhere with `newEpoch`: its stream here, if it has one that is older, ends.
  func takenOver(_ key: SessionKey, newEpoch: Epoch) {
    let ended = state.withLock { state -> (any EdgeCall, StreamID)? in
      guard let stream = state.table.takenOver(key, newEpoch: newEpoch) else { return nil }
      return state.calls.removeValue(forKey: stream).map { ($0, stream) }
    }
    if let (call, stream) = ended { finish(call, stream, .takenOver, user: key.user) }
  }

  // MARK: Delivery

  func deliver(to user: UserID, targets: [DeliveryTarget], frame: [UInt8]) -> [SessionDelivery] {
    let deliveries = state.withLock { state in
      let deliveries = state.table.deliver(to: user, targets: targets, frameBytes: frame.count)
      for delivery in deliveries {
        if let stream = delivery.stream { state.calls[stream]?.send(frame) }
      }
      return deliveries
    }
    for delivery in deliveries { observer.delivered(delivery.outcome, bytes: frame.count) }
    return deliveries
  }

  // MARK: Time

  private var now: Duration { started.duration(to: .now) }

  /// To be called several times a second.
  func tick() {
    let late = state.withLock { state in
      state.table.helloTimeouts(now: now).compactMap { stream in
        state.calls.removeValue(forKey: stream).map { ($0, stream) }
      }
    }
    let end = StreamEnd(.helloTimeout, "no Hello came within \(limits.helloTimeout); the first frame must be Hello")
    for (call, stream) in late { finish(call, stream, end) }
    let (counts, streams) = state.withLock { ($0.table.counts, $0.table.streamCount) }
    observer.sessionsChanged(counts, streams: streams)
    updateReadiness()
  }

  // MARK: Draining

  /// Admits nobody any more, and asks every client to go elsewhere.
  func startDraining(deadline: Duration) {
    let sessions = state.withLock { state in
      state.isDraining = true
      state.table.startedDraining()
      return state.table.snapshots()
    }
    updateReadiness()
    for session in sessions {
      let frame = reconnectFrame(
        deadline: deadline, successors: successors(of: session.record.key.user), reason: .leaving)
      state.withLock { state in
        state.table.noticeQueued(session.stream, frameBytes: frame.count)
        state.calls[session.stream]?.send(frame)
      }
    }
  }

  var isDraining: Bool { state.withLock { $0.isDraining } }

  var streamCount: Int { state.withLock { $0.table.streamCount } }

  /// Ends whatever is still open.
  func endAll(_ end: StreamEnd) {
    let ended = state.withLock { state in
      state.table.streamIDs.map { stream in
        let user = state.table.snapshot(of: stream)?.record.key.user
        let record = state.table.streamClosed(stream)
        return (stream, state.calls.removeValue(forKey: stream), user, record)
      }
    }
    for (stream, call, user, record) in ended {
      finish(call, stream, end, user: user)
      if let record { later(.unregister(record)) }
    }
  }
}

extension StreamEnd {
  static let takenOver = StreamEnd(
    .takenOver, "this session was opened again on another stream, which replaces this one")
  static let leaseEnded = StreamEnd(
    .registryUnavailable, "this pod can't reach the registry, so it admits no sessions; connect to another one")
}

extension EdgeCloseReason {
  /// Few and fixed, so that it can be a metric's dimension.
  var label: String {
    switch self {
    case .ended: "ended"
    case .cancelledByClient: "cancelled-by-client"
    case .connectionLost: "connection-lost"
    case .edgeStopped: "edge-stopped"
    }
  }
}

/// 128 random bits in base 16: unique without asking anybody.
private func randomSessionID() -> String {
  let halves = [UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max)]
  return halves.map { half in
    let digits = String(half, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }.joined()
}
