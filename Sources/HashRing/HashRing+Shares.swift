/// A number of hash values, of 2^64 in all: wider than 64 bits because the whole circle counts 2^64.
public typealias KeyCount = UInt128

extension HashRing {
  /// All hash values.
  public static let allKeys = KeyCount(1) << 64

  /// How many hash values belong to each member, in the order of `members`; exact, and 2^64 in all unless the ring is
  /// empty.
  public func keyCounts() -> [KeyCount] {
    var counts = [KeyCount](repeating: 0, count: members.count)
    for (index, holder) in ownership.holders().enumerated() {
      counts[Int(holder)] += arc(of: index)
    }
    return counts
  }

  /// Each member's share of the key space, in the order of `members`: fractions that add up to 1.
  public func shares() -> [Double] {
    keyCounts().map { Self.fraction($0) }
  }

  /// `count` as a fraction of all keys.
  public static func fraction(_ count: KeyCount) -> Double { Double(count) / Double(allKeys) }

  /// How many hash values a token owns: those after its predecessor up to itself, 0 behind a colliding token.
  private func arc(of index: Int) -> KeyCount {
    let positions = ownership.positions
    guard index > 0 else {
      // Around the top of the circle. If all tokens are at one position, the first of them owns the whole circle.
      return Self.allKeys - KeyCount(positions[positions.count - 1]) + KeyCount(positions[0])
    }
    return KeyCount(positions[index] - positions[index - 1])
  }
}
