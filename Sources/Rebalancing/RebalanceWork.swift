/// One pod's part of a rebalance: how much it may still begin, and when it has done what it could.
///
/// Time is given as a duration since any fixed moment.
public struct RebalanceWork: Hashable, Sendable {
  public let id: String
  public let planned: Int
  /// What the pod's mover had counted when this began.
  private let before: MoveCounts
  private var lastProgress: Duration
  private var lastCounts: MoveCounts
  private var isStopping = false
  /// Sent away without a move, because their clients can't.
  public private(set) var sentAway = 0

  /// With targets that take nobody, a source gives up after this.
  static let patience = Duration.seconds(15)

  public init(id: String, planned: Int, counts: MoveCounts, now: Duration) {
    self.id = id
    self.planned = planned
    before = counts
    lastCounts = counts
    lastProgress = now
  }

  public mutating func stop() { isStopping = true }

  public mutating func sentAway(_ count: Int) { sentAway += count }

  /// How many moves may still be begun.
  public func allowance(_ counts: MoveCounts) -> Int {
    isStopping ? 0 : max(0, planned - (counts.begun - before.begun) - sentAway)
  }

  public struct Progress: Hashable, Sendable {
    public let moved: Int
    public let failed: Int
    public let ended: Int
    public let left: Int
    public let isDone: Bool
  }

  /// - Parameter movable: sessions that could be asked now; nil when the pod has not looked yet.
  public mutating func progress(_ counts: MoveCounts, underWay: Int, movable: Int?, now: Duration) -> Progress {
    if counts != lastCounts || underWay > 0 {
      lastCounts = counts
      lastProgress = now
    }
    let moved = counts.moved - before.moved + sentAway
    let failed = counts.failed - before.failed
    let ended = counts.ended - before.ended
    let hasNothing = movable == 0 || allowance(counts) == 0 || now - lastProgress >= Self.patience
    return Progress(
      moved: moved, failed: failed, ended: ended, left: max(0, planned - moved - failed - ended),
      isDone: hasNothing && underWay == 0)
  }
}
