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
/// - what is queued for a stream and not yet written is counted in bytes, and has a limit. What becomes of a message that
///   finds it reached is the slow policy's to say; client and Sender are told.
///
/// An event for a stream that the table forgot changes nothing, so the shell need not care about races.
/// Time is given as a duration since any fixed moment.
///
/// *Memory.* A session is an entry of fixed size in a slab, its texts in one piece, and a bucket in two indexes: by user and
/// by session. There is no dictionary, and nothing is kept twice. Registrations under way, few at a time, have one.
internal import Placement

/// Names one stream: the edge's call id. Its low 32 bits are the stream's *place*, a small number that no other open stream
/// has and that is used again; the rest tells it from those that had the place before.
public struct StreamID: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  public var place: Int { Int(truncatingIfNeeded: rawValue & 0xffff_ffff) }
}

public struct SessionLimits: Hashable, Sendable {
  public var helloTimeout: Duration = .seconds(5)
  /// What may be queued for one session.
  public var outboundBytes: Int = 1024 * 1024
  /// What may be queued for all of them together: as it fills, one session may have less (`SessionTable.outboundLimit`).
  public var outboundTotalBytes: Int = 256 * 1024 * 1024
  /// What becomes of a message for a session that has as much queued.
  public var slowPolicy = SlowPolicy.dropNewest
  /// A message with a larger payload is refused.
  public var messageBytes: Int = 256 * 1024
  /// Streams, those still without Hello among them; 0: no limit.
  public var sessions: Int = 0
  public init() {}
}

public struct SessionTable: Sendable {
  public let limits: SessionLimits
  public internal(set) var counts = SessionCounts()
  /// By place.
  var entries: [SessionEntry] = []
  /// Streams of any state.
  public internal(set) var streamCount = 0
  /// The first of each user's live sessions.
  var users = SlotIndex()
  /// Live sessions.
  var sessions = SlotIndex()
  var holders = RecordHolders()
  /// Sessions whose streams wait for their registration.
  var registering: [SessionKey: Registrations] = [:]
  var backlogs = Backlogs()
  /// In order of their deadlines, as the time-out is the same for all; closed streams are skipped when their turn comes.
  private var helloDeadlines: [(deadline: Duration, stream: StreamID)] = []
  private var admits = Admission.notReady

  enum Admission: Sendable {
    case notReady
    case open
    case draining
  }

  /// Of one session.
  struct Registrations: Sendable {
    var count = 0
    /// The latest epoch that it was registered with by somebody else meanwhile.
    var outrunBy = Epoch.none
  }

  public init(limits: SessionLimits) { self.limits = limits }

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
    if limits.sessions > 0, streamCount >= limits.sessions {
      return StreamEnd(.full, "this pod holds \(streamCount) sessions, as many as it may; connect to another one")
    }
    while entries.count <= stream.place { entries.append(.free) }
    precondition(entries[stream.place].state == .free, "two open streams have one place")
    entries[stream.place] = SessionEntry(awaitingHello: stream)
    streamCount += 1
    helloDeadlines.append((now + limits.helloTimeout, stream))
    return nil
  }

  // MARK: Hello

  public enum OnHello: Hashable, Sendable {
    /// Register, then tell the result by `registered` or `registrationFailed`.
    case register(Hello)
    /// The stream is forgotten, and had no record.
    case end(StreamEnd)
    /// The stream has said Hello before: end it, and tell by `streamClosed`. What has become of its record meanwhile is the caller's
    /// to know.
    case endSecond(StreamEnd)
    case nothing
  }

  public mutating func helloReceived(_ stream: StreamID, _ request: HelloRequest, chosenSessionID: String) -> OnHello {
    guard let place = place(of: stream) else { return .nothing }
    guard entries[place].state == .awaitingHello else {
      return .endSecond(
        StreamEnd(.badHello, "a second Hello on one stream; open a new stream for another session"))
    }
    if case .draining = admits {
      forget(place)
      return .end(StreamEnd(.leaving, "this pod is being shut down; connect to another one"))
    }
    do {
      let hello = try Hello(request, chosenSessionID: chosenSessionID)
      entries[place].register(hello)
      registering[hello.key, default: Registrations()].count += 1
      return .register(hello)
    } catch {
      forget(place)
      return .end(StreamEnd(.badHello, error.message))
    }
  }

  /// True when a frame other than Hello may come on this stream now.
  public func hasSaidHello(_ stream: StreamID) -> Bool {
    guard let place = place(of: stream) else { return false }
    return entries[place].state != .awaitingHello
  }

  /// Streams whose Hello did not come in time; they are forgotten.
  public mutating func helloTimeouts(now: Duration) -> [StreamID] {
    let passed = helloDeadlines.prefix { $0.deadline <= now }
    guard !passed.isEmpty else { return [] }
    let late = passed.map(\.stream).filter { stream in
      guard let place = place(of: stream), entries[place].state == .awaitingHello else { return false }
      forget(place)
      return true
    }
    helloDeadlines.removeFirst(passed.count)
    // What a storm has left is given back.
    if helloDeadlines.isEmpty { helloDeadlines = [] }
    return late
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
    guard let place = place(of: stream), entries[place].state == .registering else { return .gone }
    let current = livePlace(of: record.key)
    if let current, entries[current].epoch > record.epoch {
      forget(place)
      return .superseded
    }
    if let others = registering[record.key], others.outrunBy > record.epoch {
      forget(place)
      return others.count > 1 ? .superseded : .outrun
    }
    let replaced = current.map { entries[$0].stream }
    if let current { forget(current) }
    let hello = entries[place].hello
    registrationEnded(hello.key)
    enliven(place, record)
    return .welcome(hello, replaced: replaced)
  }

  /// - Returns: whether there still is a stream to be told.
  public mutating func registrationFailed(_ stream: StreamID) -> Bool {
    guard let place = place(of: stream), entries[place].state == .registering else { return false }
    forget(place)
    return true
  }

  /// The registry has a later record of this session on this very pod, which no stream was welcomed by: a registration
  /// that was given up, and ran late. The live stream takes its epoch, as that is the one Senders ask for.
  /// - Returns: whether a live stream has the record's epoch now.
  public mutating func adopt(_ record: SessionRecord) -> Bool {
    guard let place = livePlace(of: record.key), holders[entries[place].holder].incarnation == record.incarnation,
      entries[place].epoch <= record.epoch
    else { return false }
    entries[place].epoch = record.epoch
    return true
  }

  // MARK: The end

  /// The stream is closed, or the shell ends it. Forgets it.
  /// - Returns: the record to unregister.
  public mutating func streamClosed(_ stream: StreamID) -> SessionRecord? {
    guard let place = place(of: stream) else { return nil }
    let record = record(at: place)
    forget(place)
    return record
  }

  /// The session connected elsewhere, with `newEpoch`. What is still being registered is judged when its own epoch is known.
  /// - Returns: the stream to end with `taken-over`, forgotten here.
  public mutating func takenOver(_ key: SessionKey, newEpoch: Epoch) -> StreamID? {
    if let waiting = registering[key] { registering[key]?.outrunBy = max(waiting.outrunBy, newEpoch) }
    guard let place = livePlace(of: key), entries[place].epoch < newEpoch else { return nil }
    let stream = entries[place].stream
    forget(place)
    return stream
  }

  /// Whether a stream of this session waits for its registration or its welcome.
  public func isRegistering(_ key: SessionKey) -> Bool { registering[key] != nil }
}

public struct SessionCounts: Hashable, Sendable {
  /// Welcomed and open.
  public internal(set) var live = 0
  /// Over all streams, not yet taken by their transport.
  public internal(set) var queuedBytes = 0
}
