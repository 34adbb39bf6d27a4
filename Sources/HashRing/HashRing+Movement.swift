/// The keys that change from one member to another between two rings.
public struct KeyMovement: Hashable, Sendable {
  /// Nil when the ring before was empty.
  public let from: String?
  /// Nil when the ring after is empty.
  public let to: String?
  /// How many of the 2^64 hash values move; exact.
  public let keys: KeyCount

  public init(from: String?, to: String?, keys: KeyCount) {
    self.from = from
    self.to = to
    self.keys = keys
  }

  /// `keys` as a fraction of all keys.
  public var share: Double { HashRing.fraction(keys) }
}

/// Neighbouring hash values that all go from one member to another.
public struct MovedArc: Hashable, Sendable {
  /// The arc's last hash value; it has `keys` of them, and may reach around the top of the circle.
  public let last: UInt64
  public let keys: KeyCount
  /// Index into the members of the ring before; nil when that was empty.
  public let from: Int?
  /// Index into the members of the ring after; nil when that is empty.
  public let to: Int?
}

extension HashRing {
  /// Which keys go from whom to whom when `next` takes the place of this ring: exact, one entry for each pair that any
  /// key moves between, in the order of the members' ids.
  public func movement(to next: HashRing) -> [KeyMovement] {
    var moved: [MemberPair: KeyCount] = [:]
    for arc in movedArcs(to: next) {
      let pair = MemberPair(from: arc.from.map { members[$0].id }, to: arc.to.map { next.members[$0].id })
      moved[pair, default: 0] += arc.keys
    }
    return
      moved
      .sorted { MemberPair.inOrder($0.key, $1.key) }
      .map { KeyMovement(from: $0.key.from, to: $0.key.to, keys: $0.value) }
  }

  /// The same arc by arc, in ascending order of their last values: for counting what lies on them.
  ///
  /// Both rings' token positions cut the circle into arcs on which neither ring changes its owner; each arc is then
  /// looked up once in each ring.
  public func movedArcs(to next: HashRing) -> [MovedArc] {
    var moved: [MovedArc] = []
    for arc in Self.commonArcs(self, next) {
      let from = ownerIndex(of: arc.last)
      let to = next.ownerIndex(of: arc.last)
      guard from.map({ members[$0].id }) != to.map({ next.members[$0].id }) else { continue }
      moved.append(MovedArc(last: arc.last, keys: arc.keys, from: from, to: to))
    }
    return moved
  }

  /// The arcs between neighbouring positions of either ring, each by its last hash value and its length.
  private static func commonArcs(_ first: HashRing, _ second: HashRing) -> [(last: UInt64, keys: KeyCount)] {
    let cuts = Set(first.ownership.positions).union(second.ownership.positions).sorted()
    guard let top = cuts.last else { return [] }
    var arcs: [(last: UInt64, keys: KeyCount)] = []
    arcs.reserveCapacity(cuts.count)
    var previous = KeyCount(top)
    var wrapped = allKeys
    for cut in cuts {
      arcs.append((cut, KeyCount(cut) + wrapped - previous))
      previous = KeyCount(cut)
      wrapped = 0
    }
    return arcs
  }
}

private struct MemberPair: Hashable {
  let from: String?
  let to: String?

  static func inOrder(_ left: Self, _ right: Self) -> Bool {
    let fromLeft = Array((left.from ?? "").utf8)
    let fromRight = Array((right.from ?? "").utf8)
    guard fromLeft == fromRight else { return fromLeft.lexicographicallyPrecedes(fromRight) }
    return (left.to ?? "").utf8.lexicographicallyPrecedes((right.to ?? "").utf8)
  }
}
