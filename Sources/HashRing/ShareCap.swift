/// The most that a member may own, relative to its fair part, which is its weight over the sum of all weights.
///
/// Random tokens give the largest of 100 members 1.15 times its fair part. With a cap nobody owns more than that many
/// hundredths of it; what of a member's arcs is beyond goes to the next member clockwise that has room.
public struct ShareCap: Hashable, Sendable {
  /// 101 to 200, in hundredths of the fair part. A whole number, so that every machine cuts alike.
  public let percent: Int

  /// - Throws: `HashRingError` when it is out of bounds.
  public init(percent: Int) throws(HashRingError) {
    guard (101...200).contains(percent) else {
      throw HashRingError(message: "a share cap of \(percent) percent; give 101 to 200")
    }
    self.percent = percent
  }
}

/// Who owns what when shares are capped: a pure function of the tokens, the weights and the cap.
///
/// 1. In the order of the circle, each member keeps of its own arcs what fits below its cap. An arc that does not fit is
///    cut: the end next to the token stays.
/// 2. In the order of the circle, what is left over is given away. It goes to the first member clockwise from it that
///    has room, as much as fits, and the rest on to the next.
///
/// All keep their own arcs before anybody gets what others have too much of; so a member that comes or goes displaces
/// only what was given away, and what it takes or leaves itself.
struct CappedShares {
  private let table: BucketTable
  private let holders: [UInt16]
  private var room: [KeyCount]
  /// What stays with the token's own member, each piece by its last hash value; in ascending order.
  private var kept: [Token] = []
  /// What others got, the same way, in any order.
  private var given: [Token] = []

  /// The table of who owns what. The table has a token.
  static func ownership(_ table: BucketTable, weights: [Int], cap: ShareCap) -> BucketTable {
    var shares = CappedShares(table, weights: weights, cap: cap)
    shares.giveAway(shares.keep())
    let pieces = shares.pieces()
    return BucketTable(positions: pieces.map(\.position), holders: pieces.map { UInt16($0.member) })
  }

  private init(_ table: BucketTable, weights: [Int], cap: ShareCap) {
    self.table = table
    holders = table.holders()
    let total = KeyCount(weights.reduce(0, +))
    // Rounded down, by less than one hash value each: together they still are more than the circle.
    room = weights.map { HashRing.allKeys * KeyCount($0 * cap.percent) / (100 * total) }
    kept.reserveCapacity(holders.count)
  }

  /// What is left over of an arc: its last hash value, how many there are, and whose token ends the arc.
  private struct Remainder {
    var last: UInt64
    var keys: KeyCount
    let token: Int
  }

  private mutating func keep() -> [Remainder] {
    var remainders: [Remainder] = []
    var previous = table.positions[holders.count - 1]
    for (index, position) in table.positions.enumerated() {
      // All tokens at one position: the first has the circle.
      let isWhole = index == 0 && previous == position
      let keys = isWhole ? HashRing.allKeys : KeyCount(position &- previous)
      previous = position
      guard keys > 0 else { continue }
      var arc = Remainder(last: position, keys: keys, token: index)
      if let piece = take(&arc, for: Int(holders[index])) { kept.append(piece) }
      if arc.keys > 0 { remainders.append(arc) }
    }
    return remainders
  }

  private mutating func giveAway(_ remainders: [Remainder]) {
    for var arc in remainders {
      var index = arc.token
      // Ends: all room together is more than all keys.
      while arc.keys > 0 {
        index = index + 1 == holders.count ? 0 : index + 1
        if let piece = take(&arc, for: Int(holders[index])) { given.append(piece) }
      }
    }
  }

  /// As much of the arc as the member has room for, from the arc's end.
  private mutating func take(_ arc: inout Remainder, for member: Int) -> Token? {
    let keys = min(arc.keys, room[member])
    guard keys > 0 else { return nil }
    let piece = Token(position: arc.last, member: UInt32(member))
    room[member] -= keys
    arc.keys -= keys
    arc.last = arc.last &- UInt64(truncatingIfNeeded: keys)
    return piece
  }

  private mutating func pieces() -> [Token] {
    given.sort(by: Token.inOrder)
    var pieces: [Token] = []
    pieces.reserveCapacity(kept.count + given.count)
    var next = given[...]
    for piece in kept {
      while let other = next.first, other.position < piece.position { pieces.append(next.removeFirst()) }
      pieces.append(piece)
    }
    return pieces + next
  }
}
