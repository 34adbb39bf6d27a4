public import HashRing

/// Sessions as what matters of them to placement: the 64-bit hashes of their users, sorted. Eight bytes each, so that a
/// hundred million fit; one session per user.
///
/// The hashes are SplitMix64 of seed and number: like XXH3 of user ids they are uniform, no two are equal, and the same
/// seed gives the same ones.
public struct SessionPopulation: Sendable {
  /// Ascending.
  public let userHashes: [UInt64]
  /// By the hash's first bits: where those that begin so begin in `userHashes`.
  private let starts: [Int]
  private let shift: UInt64

  public init(count: Int, seed: UInt64) {
    let bits = Self.bits(for: count)
    shift = 64 - bits
    let shift = shift
    var starts = [Int](repeating: 0, count: (1 << Int(bits)) + 1)
    for number in 0..<count { starts[Int(Self.hash(number, seed) >> shift) + 1] += 1 }
    for bucket in 1..<starts.count { starts[bucket] += starts[bucket - 1] }
    self.starts = starts
    userHashes = [UInt64](unsafeUninitializedCapacity: count) { hashes, filled in
      var next = starts
      for number in 0..<count {
        let hash = Self.hash(number, seed)
        let bucket = Int(hash >> shift)
        hashes[next[bucket]] = hash
        next[bucket] += 1
      }
      for bucket in 0..<starts.count - 1 { hashes[starts[bucket]..<starts[bucket + 1]].sort() }
      filled = count
    }
  }

  public var count: Int { userHashes.count }

  /// About 64 hashes to a bucket.
  private static func bits(for count: Int) -> UInt64 {
    var bits: UInt64 = 1
    while bits < 24, count >> Int(bits) > 64 { bits += 1 }
    return bits
  }

  private static func hash(_ number: Int, _ seed: UInt64) -> UInt64 {
    var mixed = (seed << 40 &+ UInt64(number)) &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

extension SessionPopulation {
  public func count(in arc: MovedArc) -> Int { ranges(of: arc).reduce(0) { $0 + $1.count } }

  public func forEachUser(in arc: MovedArc, _ body: (UInt64) -> Void) {
    for range in ranges(of: arc) {
      for index in range { body(userHashes[index]) }
    }
  }

  /// Two when the arc reaches around the top of the circle.
  private func ranges(of arc: MovedArc) -> [Range<Int>] {
    guard arc.keys < HashRing.allKeys else { return [0..<count] }
    let end = endOfHashes(through: arc.last)
    let before = arc.last &- UInt64(arc.keys)
    let start = endOfHashes(through: before)
    return before < arc.last ? [start..<end] : [0..<end, start..<count]
  }

  /// How many hashes are not above `hash`.
  private func endOfHashes(through hash: UInt64) -> Int {
    let bucket = Int(hash >> shift)
    var low = starts[bucket]
    var high = starts[bucket + 1]
    while low < high {
      let middle = (low + high) / 2
      if userHashes[middle] <= hash { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
