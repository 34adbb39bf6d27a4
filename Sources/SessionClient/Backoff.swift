/// How long to wait before trying again: doubling from `initial` to `maximum`, and of that a random part.
///
/// "Full jitter": when a pod with 100,000 sessions dies, they must not come back in waves. The random number is an
/// argument, so that tests choose it.
public struct Backoff: Sendable, Hashable {
  public var initial: Duration
  public var maximum: Duration

  public init(initial: Duration = .milliseconds(100), maximum: Duration = .seconds(10)) {
    self.initial = initial
    self.maximum = maximum
  }

  /// - Parameters:
  ///   - attempt: 0 for the first wait.
  ///   - random: 0 up to 1.
  public func pause(attempt: Int, random: Double) -> Duration {
    // 2^30 times any sensible initial pause is beyond any sensible maximum, and the shift can't overflow.
    let doubled = initial * (1 << min(max(attempt, 0), 30))
    return min(doubled, maximum) * min(max(random, 0), 1)
  }
}
