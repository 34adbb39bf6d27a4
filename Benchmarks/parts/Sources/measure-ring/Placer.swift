internal import HashRing

/// Something that tells whose a key is: PushRing's ring, and the plain ways of doing it that it is compared with. All take the
/// same hash of the key, so that what is compared is the structure.
protocol Placer {
  init(members: [String]) throws
  /// Index into the members that it was made of.
  func owner(of hash: UInt64) -> Int
  func owner(ofKey key: String.UTF8View) -> Int
}

extension Placer {
  @inline(__always) func owner(ofKey key: String.UTF8View) -> Int { owner(of: keyHash(key)) }
}

/// Of the rings: virtual nodes of each member.
let tokensPerMember = HashRing.defaultTokensPerWeight

/// The tokens that PushRing's ring has, by the same rule: XXH3 of the id and the number as eight bytes.
func sortedTokens(_ members: [String]) -> [(position: UInt64, member: Int)] {
  members.enumerated().flatMap { index, id in
    (0..<tokensPerMember).map { number in
      let bytes = Array(id.utf8) + withUnsafeBytes(of: UInt64(number).littleEndian) { Array($0) }
      return (position: keyHash(bytes), member: index)
    }
  }.sorted { ($0.position, $0.member) < ($1.position, $1.member) }
}

/// The product's ring.
struct PushRing: Placer {
  let ring: HashRing
  /// The ring orders its members; here they are as given.
  private let given: [Int]

  init(members: [String]) throws {
    try self.init(members: members, shareCap: nil)
  }

  init(members: [String], shareCap: ShareCap?) throws {
    ring = try HashRing(members: members.map { RingMember(id: $0) }, shareCap: shareCap)
    let index = Dictionary(uniqueKeysWithValues: zip(members, members.indices))
    given = ring.members.map { index[$0.id] ?? 0 }
  }

  func owner(of hash: UInt64) -> Int { ring.ownerIndex(of: hash) ?? 0 }

  func owner(ofKey key: String.UTF8View) -> Int { ring.ownerIndex(ofKey: key) ?? 0 }

  func givenOwner(of hash: UInt64) -> Int { given[owner(of: hash)] }
}

/// With shares capped at 1.10 of the fair part.
struct CappedPushRing: Placer {
  private let capped: PushRing

  init(members: [String]) throws { capped = try PushRing(members: members, shareCap: try ShareCap(percent: 110)) }

  func owner(of hash: UInt64) -> Int { capped.owner(of: hash) }

  func owner(ofKey key: String.UTF8View) -> Int { capped.owner(ofKey: key) }

  func givenOwner(of hash: UInt64) -> Int { capped.givenOwner(of: hash) }
}
