internal import HashRing
internal import Sessions

/// A user as a push has it: text whose hash nobody has taken yet. Not copyable, so that reading many of them counts no references,
/// as reading the one in a push does not.
struct Key: ~Copyable {
  let user: UserID

  @inline(never) borrowing func hash() -> UInt64 { keyHash(user.text.utf8) }

  @inline(__always) borrowing func owner<Structure: Placer>(in structure: Structure) -> Int {
    structure.owner(ofKey: user.text.utf8)
  }
}

/// Many keys, more than a branch predictor remembers and few enough for the cache.
final class Keys {
  static let count = 4_096
  private let keys: UnsafeMutablePointer<Key>

  /// - Parameter isLong: 36 bytes, as UUIDs have, rather than 12.
  init(isLong: Bool) throws {
    keys = .allocate(capacity: Self.count)
    for index in 0..<Self.count {
      let number = 1_000_000 + index * 7_919
      let text = isLong ? "\(number + 20_000_000)-3d5f-4b4a-9c1e-0123456789ab" : "user-\(number)"
      (keys + index).initialize(to: Key(user: try UserID(text)))
    }
  }

  deinit {
    keys.deinitialize(count: Self.count)
    keys.deallocate()
  }

  @inline(never) func hashAll() -> Int {
    var sum = 0
    for index in 0..<Self.count { sum &+= Int(truncatingIfNeeded: keys[index].hash()) }
    return sum
  }

  @inline(never) func lookUpAll<Structure: Placer>(in structure: Structure) -> Int {
    var sum = 0
    for index in 0..<Self.count { sum &+= keys[index].owner(in: structure) }
    return sum
  }
}
