/// How many sessions a pod lets others send to it: what paces moves by what their target can take.
///
/// Before a pod asks a client to go elsewhere it asks the target for leave. A grant reserves a place until the session
/// arrives or the grant is over, so that many sources together don't fill a pod beyond its limit, and clients are not
/// asked to go where they would be refused.
///
/// Time is given as a duration since any fixed moment.
public struct MoveGrants: Sendable {
  /// Sessions that may arrive in a second.
  public let rate: Double
  private var outstanding: [Grant] = []
  private var allowance: Double
  private var allowanceAt = Duration.zero

  private struct Grant {
    var count: Int
    let expires: Duration
  }

  /// What a pod answers to an offer.
  public struct Answer: Hashable, Sendable {
    public let granted: Int
    /// When nothing was granted: ask again after this.
    public let retryAfter: Duration

    public init(granted: Int, retryAfter: Duration) {
      self.granted = granted
      self.retryAfter = retryAfter
    }
  }

  static let whenFull = Duration.seconds(5)
  static let whenBusy = Duration.milliseconds(200)
  /// Of the longest move: a source can't hold places for longer.
  public static let longestGrant = Duration.seconds(60)

  public init(rate: Double) {
    self.rate = rate
    allowance = rate / 5
  }

  /// Places held for sessions that are on their way.
  public mutating func reserved(now: Duration) -> Int {
    outstanding.removeAll { $0.expires <= now }
    return outstanding.reduce(0) { $0 + $1.count }
  }

  /// - Parameters:
  ///   - room: sessions that the pod can still take; nil without a limit.
  ///   - deadline: how long the moves may take.
  public mutating func offered(_ count: Int, room: Int?, deadline: Duration, now: Duration) -> Answer {
    let reserved = reserved(now: now)
    if let room, room <= reserved { return Answer(granted: 0, retryAfter: Self.whenFull) }
    let elapsed = max(.zero, now - allowanceAt)
    allowance = min(max(1, rate / 5), allowance + rate * (elapsed / .seconds(1)))
    allowanceAt = max(allowanceAt, now)
    let granted = max(0, min(count, Int(allowance), room.map { $0 - reserved } ?? .max))
    guard granted > 0 else { return Answer(granted: 0, retryAfter: Self.whenBusy) }
    allowance -= Double(granted)
    outstanding.append(Grant(count: granted, expires: now + min(deadline, Self.longestGrant)))
    return Answer(granted: granted, retryAfter: .zero)
  }

  /// A session came by a move: the oldest place is no longer reserved.
  public mutating func arrived(now: Duration) {
    _ = reserved(now: now)
    guard !outstanding.isEmpty else { return }
    outstanding[0].count -= 1
    if outstanding[0].count == 0 { outstanding.removeFirst() }
  }
}
