/// The sessions of one pod: which streams are open, whose they are, and how much is queued for each.
///
/// A stream goes through these states; each event method below is one step, and says what the shell has to do.
///
///     awaitingHello ── helloReceived ──▶ registering ── registered ──▶ live ──▶ (forgotten)
///          └─────────────── ended, closed, timed out ──────┴──────────────▲
///
/// Rules that hold after every step:
/// - a session id is live on at most one stream, the one with the largest epoch;
/// - only a live stream is delivered to, and it is live only once its Welcome may be sent;
/// - a record that was written and whose stream is gone is given back for unregistering, exactly once, unless a
///   later epoch replaced it (then the registry did already);
/// - what is queued for a stream and not yet written is counted in bytes. A message that finds its limit reached is
///   not queued: the newest is dropped, so that what a client receives has gaps only at a place the Sender was told of.
///
/// An event for a stream that the table forgot changes nothing, so the shell need not care about races.
/// Time is given as a duration since any fixed moment.
internal import Placement

/// Names one stream: the edge's call id.
public struct StreamID: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
}

public struct SessionLimits: Hashable, Sendable {
  public var helloTimeout: Duration = .seconds(5)
  /// What may be queued for one session.
  public var outboundBytes: Int = 1024 * 1024
  /// A message with a larger payload is refused.
  public var messageBytes: Int = 256 * 1024
  /// Streams, those still without Hello among them; 0: no limit.
  public var sessions: Int = 0
  public init() {}
}

public struct SessionTable: Sendable {
  public let limits: SessionLimits
  public internal(set) var counts = SessionCounts()
  var streams: [StreamID: Stream] = [:]
  /// Live sessions only.
  var users: [UserID: [SessionID: StreamID]] = [:]
  /// How many streams of each session wait for their registration.
  var registering: [SessionKey: Int] = [:]
  /// The latest epoch that each of them was registered with by somebody else meanwhile.
  private var outrunBy: [SessionKey: Epoch] = [:]
  /// In order of their deadlines, as the time-out is the same for all; closed streams are skipped when their turn comes.
  private var helloDeadlines: [(deadline: Duration, stream: StreamID)] = []
  private var admits = Admission.notReady

  enum Admission: Sendable {
    case notReady
    case open
    case draining
  }

  struct Stream: Sendable {
    var state: State
    var queuedBytes = 0

    enum State: Sendable {
      case awaitingHello
      case registering(Hello)
      case live(Hello, SessionRecord)
    }
  }

  public init(limits: SessionLimits) { self.limits = limits }

  /// Streams of any state.
  public var streamCount: Int { streams.count }

  // MARK: Admission

  public mutating func becameReady() {
    if case .notReady = admits { admits = .open }
  }

  public mutating func startedDraining() { admits = .draining }

  /// - Returns: how to end the stream at once; nil when it may say Hello.
  public mutating func streamOpened(_ stream: StreamID, now: Duration) -> StreamEnd? {
    switch admits {
    case .notReady:
      return StreamEnd(.notReady, "this pod has not joined its cluster yet; connect to another one, or again later")
    case .draining:
      return StreamEnd(.leaving, "this pod is being shut down; connect to another one")
    case .open:
      break
    }
    if limits.sessions > 0, streams.count >= limits.sessions {
      return StreamEnd(.full, "this pod holds \(streams.count) sessions, as many as it may; connect to another one")
    }
    streams[stream] = Stream(state: .awaitingHello)
    helloDeadlines.append((now + limits.helloTimeout, stream))
    return nil
  }

  // MARK: Hello

  public enum OnHello: Hashable, Sendable {
    /// Register, then tell the result by `registered` or `registrationFailed`.
    case register(Hello)
    /// The stream is forgotten; its record, if it had one, is to be unregistered.
    case end(StreamEnd, unregister: SessionRecord?)
    case nothing
  }

  public mutating func helloReceived(_ stream: StreamID, _ request: HelloRequest, chosenSessionID: String) -> OnHello {
    guard let state = streams[stream]?.state else { return .nothing }
    guard case .awaitingHello = state else {
      let end = StreamEnd(.badHello, "a second Hello on one stream; open a new stream for another session")
      return .end(end, unregister: streamClosed(stream))
    }
    if case .draining = admits {
      streams[stream] = nil
      return .end(StreamEnd(.leaving, "this pod is being shut down; connect to another one"), unregister: nil)
    }
    do {
      let hello = try Hello(request, chosenSessionID: chosenSessionID)
      streams[stream]?.state = .registering(hello)
      registering[hello.key, default: 0] += 1
      return .register(hello)
    } catch {
      streams[stream] = nil
      return .end(StreamEnd(.badHello, error.message), unregister: nil)
    }
  }

  /// True when a frame other than Hello may come on this stream now.
  public func hasSaidHello(_ stream: StreamID) -> Bool {
    guard let state = streams[stream]?.state else { return false }
    if case .awaitingHello = state { return false }
    return true
  }

  /// Streams whose Hello did not come in time; they are forgotten.
  public mutating func helloTimeouts(now: Duration) -> [StreamID] {
    let passed = helloDeadlines.prefix { $0.deadline <= now }
    guard !passed.isEmpty else { return [] }
    helloDeadlines.removeFirst(passed.count)
    return passed.map(\.stream).filter { stream in
      guard case .awaitingHello = streams[stream]?.state else { return false }
      streams[stream] = nil
      return true
    }
  }

  // MARK: Registration

  public enum OnRegistered: Hashable, Sendable {
    /// Send Welcome; end the stream that this one replaces with `taken-over`.
    case welcome(Hello, replaced: StreamID?)
    /// A later connection of the same session was faster: end this one with `taken-over`.
    case superseded
    /// The session was registered on another pod meanwhile, maybe by an attempt that its client has given up: end this
    /// stream such that the client connects again. If the other one lives, the later of the two stays.
    case outrun
    /// The client went while the record was written: unregister it.
    case gone
  }

  public mutating func registered(_ stream: StreamID, _ record: SessionRecord) -> OnRegistered {
    guard case .registering(let hello) = streams[stream]?.state else { return .gone }
    let current = liveStream(of: record.key)
    if let current, let epoch = epoch(of: current), epoch > record.epoch {
      forget(stream)
      return .superseded
    }
    if let other = outrunBy[record.key], other > record.epoch {
      let isByThisPod = registering[record.key, default: 0] > 1
      forget(stream)
      return isByThisPod ? .superseded : .outrun
    }
    if let current { forget(current) }
    registrationEnded(hello.key)
    streams[stream]?.state = .live(hello, record)
    users[record.key.user, default: [:]][record.key.session] = stream
    counts.live += 1
    return .welcome(hello, replaced: current)
  }

  /// - Returns: whether there still is a stream to be told.
  public mutating func registrationFailed(_ stream: StreamID) -> Bool {
    guard case .registering = streams[stream]?.state else { return false }
    forget(stream)
    return true
  }

  /// The registry has a later record of this session on this very pod, which no stream was welcomed by: a registration
  /// that was given up, and ran late. The live stream takes its epoch, as that is the one Senders ask for.
  /// - Returns: whether a live stream has the record's epoch now.
  public mutating func adopt(_ record: SessionRecord) -> Bool {
    guard let stream = liveStream(of: record.key), case .live(let hello, let live) = streams[stream]?.state,
      live.incarnation == record.incarnation, live.epoch <= record.epoch
    else { return false }
    streams[stream]?.state = .live(hello, record)
    return true
  }

  // MARK: The end

  /// The stream is closed, or the shell ends it. Forgets it.
  /// - Returns: the record to unregister.
  public mutating func streamClosed(_ stream: StreamID) -> SessionRecord? {
    guard let state = streams[stream]?.state else { return nil }
    forget(stream)
    guard case .live(_, let record) = state else { return nil }
    return record
  }

  /// The session connected elsewhere, with `newEpoch`. What is still being registered is judged when its own epoch is known.
  /// - Returns: the stream to end with `taken-over`, forgotten here.
  public mutating func takenOver(_ key: SessionKey, newEpoch: Epoch) -> StreamID? {
    if isRegistering(key) { outrunBy[key] = max(outrunBy[key] ?? .none, newEpoch) }
    guard let stream = liveStream(of: key), let epoch = epoch(of: stream), epoch < newEpoch else { return nil }
    forget(stream)
    return stream
  }

  // MARK: Finding

  func liveStream(of key: SessionKey) -> StreamID? { users[key.user]?[key.session] }

  func epoch(of stream: StreamID) -> Epoch? {
    guard case .live(_, let record) = streams[stream]?.state else { return nil }
    return record.epoch
  }

  private mutating func forget(_ stream: StreamID) {
    guard let entry = streams.removeValue(forKey: stream) else { return }
    counts.queuedBytes -= entry.queuedBytes
    switch entry.state {
    case .awaitingHello:
      break
    case .registering(let hello):
      registrationEnded(hello.key)
    case .live(_, let record):
      counts.live -= 1
      users[record.key.user]?[record.key.session] = nil
      if users[record.key.user]?.isEmpty == true { users[record.key.user] = nil }
    }
  }

  private mutating func registrationEnded(_ key: SessionKey) {
    let left = (registering[key] ?? 1) - 1
    registering[key] = left > 0 ? left : nil
    if left <= 0 { outrunBy[key] = nil }
  }
}

public struct SessionCounts: Hashable, Sendable {
  /// Welcomed and open.
  public internal(set) var live = 0
  /// Over all streams, not yet taken by their transport.
  public internal(set) var queuedBytes = 0
}
