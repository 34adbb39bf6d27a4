/// Finds places in a slab by a hash: open addressing with linear probing, eight bytes for a bucket, three quarters of them
/// used at most. What is looked for is compared by the caller, in the slab, so that nothing is kept twice.
///
/// Hashes come from `Hasher`, which every process seeds anew: whoever chooses the keys can't choose where they fall.
struct SlotIndex: Sendable {
  /// 0: empty. Else 32 bits of the hash, and the place plus one.
  private var buckets: [UInt64] = []
  private(set) var count = 0

  private static let smallest = 16

  /// The first place with that hash that `matches`.
  func find(_ hash: Int, where matches: (UInt32) -> Bool) -> UInt32? {
    guard count > 0 else { return nil }
    let fragment = Self.fragment(hash)
    var position = position(of: fragment)
    while true {
      let bucket = buckets[position]
      if bucket == 0 { return nil }
      if Self.fragment(bucket) == fragment, matches(Self.place(bucket)) { return Self.place(bucket) }
      position = next(position)
    }
  }

  /// - Parameter place: not in the index yet.
  mutating func insert(_ hash: Int, _ place: UInt32) {
    if (count + 1) * 4 > buckets.count * 3 { resize(to: max(Self.smallest, buckets.count * 2)) }
    put(UInt64(Self.fragment(hash)) << 32 | UInt64(place + 1))
    count += 1
  }

  /// Puts another place where `old` was.
  mutating func replace(_ hash: Int, _ old: UInt32, with new: UInt32) {
    guard let position = position(of: hash, old) else { return }
    buckets[position] = UInt64(Self.fragment(hash)) << 32 | UInt64(new + 1)
  }

  mutating func remove(_ hash: Int, _ place: UInt32) {
    guard var hole = position(of: hash, place) else { return }
    count -= 1
    // What comes after moves up, as far as that brings it nearer to where it belongs; so there are no tombstones.
    var position = next(hole)
    while buckets[position] != 0 {
      let home = self.position(of: Self.fragment(buckets[position]))
      if distance(from: home, to: position) >= distance(from: hole, to: position) {
        buckets[hole] = buckets[position]
        hole = position
      }
      position = next(position)
    }
    buckets[hole] = 0
    if count == 0 {
      buckets = []
    } else if count * 8 < buckets.count, buckets.count > Self.smallest {
      resize(to: buckets.count / 2)
    }
  }

  // MARK: Buckets

  private static func fragment(_ hash: Int) -> UInt32 { UInt32(truncatingIfNeeded: hash) }
  private static func fragment(_ bucket: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: bucket >> 32) }
  private static func place(_ bucket: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: bucket) - 1 }

  private func position(of fragment: UInt32) -> Int { Int(fragment) & (buckets.count - 1) }
  private func next(_ position: Int) -> Int { (position + 1) & (buckets.count - 1) }
  private func distance(from start: Int, to end: Int) -> Int { (end - start) & (buckets.count - 1) }

  private func position(of hash: Int, _ place: UInt32) -> Int? {
    guard count > 0 else { return nil }
    let wanted = UInt64(Self.fragment(hash)) << 32 | UInt64(place + 1)
    var position = position(of: Self.fragment(hash))
    while buckets[position] != wanted {
      if buckets[position] == 0 { return nil }
      position = next(position)
    }
    return position
  }

  private mutating func put(_ bucket: UInt64) {
    var position = position(of: Self.fragment(bucket))
    while buckets[position] != 0 { position = next(position) }
    buckets[position] = bucket
  }

  /// - Parameter size: a power of two.
  private mutating func resize(to size: Int) {
    let old = buckets
    buckets = Array(repeating: 0, count: size)
    for bucket in old where bucket != 0 { put(bucket) }
  }
}
