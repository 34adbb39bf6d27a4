/// How an operator wants a rebalance done. Kept with it in the registry, as JSON, for the pods that carry it out.
public struct RebalanceParameters: Hashable, Sendable, Codable {
  /// Moves begun in a second, over all pods.
  public var rate: Double = 100
  /// Moves under way at a time, over all pods.
  public var concurrency: Int = 1_000
  /// How long a client may take, in milliseconds.
  public var moveDeadlineMilliseconds: Int = 10_000
  /// At most so many moves; nil: all.
  public var maximumMoves: Int?
  /// Only sessions on this pod.
  public var podID: String?
  /// Only sessions of this user.
  public var userID: String?
  /// Ends the streams of clients that say they can't move; their trailers say where to go.
  public var force: Bool = false

  public init() {}

  /// One source's part of rate and concurrency, by its part of the moves.
  public func limits(of planned: Int, in total: Int) -> MoveLimits {
    let part = total > 0 ? Double(planned) / Double(total) : 1
    return MoveLimits(
      rate: rate * part, concurrency: max(1, Int((Double(concurrency) * part).rounded())),
      deadline: .milliseconds(moveDeadlineMilliseconds))
  }
}
