/// One virtual node, for people to see.
public struct RingToken: Hashable, Sendable {
  public let position: UInt64
  public let member: RingMember
}

extension HashRing {
  /// The tokens around a key: those before its hash in the order of the circle, the nearest last, and those at or after it,
  /// the nearest first. The first of these has the key, unless shares are capped. No more than the ring has.
  public func neighbours(of keyHash: UInt64, before: Int, after: Int) -> (before: [RingToken], after: [RingToken]) {
    guard !members.isEmpty else { return ([], []) }
    let (positions, holders) = (table.positions, table.holders())
    var low = 0
    var high = positions.count
    while low < high {
      let middle = (low + high) / 2
      if positions[middle] < keyHash { low = middle + 1 } else { high = middle }
    }
    func token(_ index: Int) -> RingToken {
      let index = (index + positions.count) % positions.count
      return RingToken(position: positions[index], member: members[Int(holders[index])])
    }
    let count = min(after, positions.count)
    return (
      (0..<min(before, positions.count - count)).reversed().map { token(low - 1 - $0) },
      (0..<count).map { token(low + $0) }
    )
  }
}
