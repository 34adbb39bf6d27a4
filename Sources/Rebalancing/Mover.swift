public import Placement
public import Sessions

/// The moves of one pod's sessions to other pods, from the side that the sessions leave.
///
/// A move is make-before-break: the client is asked to open a stream on the target, and the old one lives until the
/// target has welcomed the session. Nothing here ends a stream: a move that fails leaves the session where it was, and
/// the session rests before it is asked again.
///
///     begun ── released ──▶ moved
///       ├── stream ended, then released ──▶ moved
///       ├── stream ended, not released ──▶ ended
///       └── deadline ──▶ failed (the session rests, longer each time)
///
/// There is one mover for each pod, and a session is on one pod only: so there are never two movers for one session.
/// Whoever wants sessions moved (a drain, a rebalance, the pod that brings its strays home) gives this one other limits.
///
/// Time is given as a duration since any fixed moment.
public struct Mover: Sendable {
  public private(set) var limits: MoveLimits
  public private(set) var counts = MoveCounts()
  private var moves: [SessionKey: Move] = [:]
  private var rests: [SessionKey: Rest] = [:]
  private var targetRests: [Incarnation: Duration] = [:]
  /// Moves that may be begun now, by the rate.
  private var allowance = 0.0
  private var allowanceAt = Duration.zero
  private var lastNumber: UInt64 = 0

  public struct Move: Hashable, Sendable {
    public let key: SessionKey
    public let stream: StreamID
    public let target: Incarnation
    public let begun: Duration
    public let deadline: Duration
    /// The old stream is closed, and nobody has said yet that the session was welcomed elsewhere.
    public fileprivate(set) var isClosed = false
  }

  private struct Rest {
    var until: Duration
    var failures: Int
  }

  static let firstRest = Duration.seconds(30)
  static let longestRest = Duration.seconds(600)
  /// Rests beyond this number are forgotten, the first to end first.
  static let maximumRests = 100_000

  public init(limits: MoveLimits) { self.limits = limits }

  // MARK: How many

  public mutating func limit(_ limits: MoveLimits, now: Duration) {
    refill(now)
    self.limits = limits
    allowance = min(allowance, burst)
  }

  public var underWay: Int { moves.count }

  /// Whether the session was asked to move, and has neither moved nor failed to yet.
  public func isMoving(_ key: SessionKey) -> Bool { moves[key] != nil }

  /// How many moves may be begun now.
  public mutating func budget(now: Duration) -> Int {
    refill(now)
    return max(0, min(limits.concurrency - moves.count, Int(allowance)))
  }

  /// A fifth of a second's worth: the shell looks about as often.
  private var burst: Double { max(1, limits.rate / 5) }

  private mutating func refill(_ now: Duration) {
    let elapsed = max(.zero, now - allowanceAt)
    allowance = min(burst, allowance + limits.rate * (elapsed / .seconds(1)))
    allowanceAt = max(allowanceAt, now)
  }

  // MARK: Beginning

  /// Whether the session may be asked: it is not on its way, and has not failed to move of late.
  public func mayBegin(_ key: SessionKey, now: Duration) -> Bool {
    moves[key] == nil && (rests[key].map { $0.until <= now } ?? true)
  }

  /// Whether the target may be offered sessions: it has not just refused some.
  public func mayOffer(_ target: Incarnation, now: Duration) -> Bool { targetRests[target].map { $0 <= now } ?? true }

  public mutating func targetRefused(_ target: Incarnation, until end: Duration) { targetRests[target] = end }

  /// The client is about to be asked.
  /// - Returns: nil when it may not be now: budget, or `mayBegin`.
  public mutating func begin(
    _ key: SessionKey, _ stream: StreamID, source: Incarnation, target: Incarnation, now: Duration
  )
    -> MoveTicket?
  {
    guard mayBegin(key, now: now), budget(now: now) > 0 else { return nil }
    allowance -= 1
    counts.begun += 1
    lastNumber += 1
    moves[key] = Move(key: key, stream: stream, target: target, begun: now, deadline: now + limits.deadline)
    return MoveTicket(source: source, target: target, number: lastNumber)
  }

  // MARK: Ending

  /// The session was welcomed elsewhere.
  /// - Returns: the move that this ends; nil when the session came to be there by itself.
  public mutating func released(_ key: SessionKey) -> Move? {
    guard let move = moves.removeValue(forKey: key) else { return nil }
    rests[key] = nil
    counts.moved += 1
    return move
  }

  /// The old stream is closed: by the client once it was welcomed elsewhere, which the registry says in a moment; or it
  /// is gone.
  public mutating func closed(_ key: SessionKey, _ stream: StreamID) {
    guard moves[key]?.stream == stream else { return }
    moves[key]?.isClosed = true
  }

  /// Moves whose time is over, or whose target is lost. Those whose old stream lives have failed, and are to be looked
  /// after: the target may have taken the session's record before it died.
  public mutating func overdue(now: Duration, isLost: (Incarnation) -> Bool = { _ in false }) -> [Move] {
    let over = moves.values.filter { $0.deadline <= now || isLost($0.target) }
    for move in over {
      moves[move.key] = nil
      if move.isClosed {
        counts.ended += 1
      } else {
        counts.failed += 1
        rest(move.key, now)
      }
    }
    if !targetRests.isEmpty { targetRests = targetRests.filter { $0.value > now } }
    return over.sorted { $0.stream.rawValue < $1.stream.rawValue }
  }

  private mutating func rest(_ key: SessionKey, _ now: Duration) {
    let failures = (rests[key]?.failures ?? 0) + 1
    let length = min(Self.longestRest, Self.firstRest * (1 << min(failures - 1, 10)))
    rests[key] = Rest(until: now + length, failures: failures)
    guard rests.count > Self.maximumRests else { return }
    let kept = rests.sorted { $0.value.until > $1.value.until }.prefix(Self.maximumRests * 9 / 10)
    rests = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
  }

  /// Nobody rests any more: an operator, or the end of the process, wants them moved now.
  public mutating func wakeAll() {
    rests = [:]
    targetRests = [:]
  }
}

public struct MoveCounts: Hashable, Sendable {
  public internal(set) var begun = 0
  public internal(set) var moved = 0
  /// The client did not move in time; its session is where it was.
  public internal(set) var failed = 0
  /// The session ended while it was asked to move.
  public internal(set) var ended = 0

  public init() {}
}
