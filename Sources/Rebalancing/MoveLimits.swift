/// How fast a pod moves its sessions away, and how long each move may take.
public struct MoveLimits: Hashable, Sendable {
  /// Moves begun in a second; may be below 1.
  public var rate: Double
  /// Moves under way at a time.
  public var concurrency: Int
  /// From the request to the client until its old stream is released.
  public var deadline: Duration

  static let highestRate = 1_000_000.0

  public init(rate: Double, concurrency: Int = 256, deadline: Duration = .seconds(10)) {
    // Whatever a registry or a file says: beyond this nothing is paced, and a number that is none moves nobody.
    self.rate = rate.isNaN ? 0 : min(max(rate, 0), Self.highestRate)
    self.concurrency = max(0, concurrency)
    self.deadline = deadline
  }
}
