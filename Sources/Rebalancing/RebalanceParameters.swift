/// Says in words what is wrong with a rebalance that was read from somewhere.
public struct InvalidRebalance: Error, Hashable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

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

  /// Whether all of it can be carried out; files and registries may say anything.
  public func check() throws(InvalidRebalance) {
    guard rate > 0, rate <= 100_000 else {
      throw InvalidRebalance("its rate must be above 0 and at most 100000 a second")
    }
    guard (1...1_000_000).contains(concurrency) else { throw InvalidRebalance("its concurrency must be 1 to 1000000") }
    guard (1_000...60_000).contains(moveDeadlineMilliseconds) else {
      throw InvalidRebalance("its deadline for a move must be 1000 to 60000 milliseconds")
    }
    guard maximumMoves ?? 1 >= 1 else { throw InvalidRebalance("its limit on moves must be 1 or more") }
  }

  /// One source's part of rate and concurrency, by its part of the moves.
  public func limits(of planned: Int, in total: Int) -> MoveLimits {
    let part = total > 0 ? Double(planned) / Double(total) : 1
    return MoveLimits(
      rate: rate * part, concurrency: max(1, Int((Double(concurrency) * part).rounded())),
      deadline: .milliseconds(moveDeadlineMilliseconds))
  }
}
