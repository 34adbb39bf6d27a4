/// How fast a pod moves its sessions away, and how long each move may take.
public struct MoveLimits: Hashable, Sendable {
  /// Moves begun in a second; may be below 1.
  public var rate: Double
  /// Moves under way at a time.
  public var concurrency: Int
  /// From the request to the client until its old stream is released.
  public var deadline: Duration

  public init(rate: Double, concurrency: Int = 256, deadline: Duration = .seconds(10)) {
    self.rate = rate
    self.concurrency = concurrency
    self.deadline = deadline
  }
}
