/// A consistent-hash ring with virtual nodes (Karger et al., "Consistent Hashing and Random Trees", STOC 1997).
///
/// The 2^64 hash values form a circle in ascending order. Each member puts `tokensPerWeight` x weight tokens on it. A key
/// belongs to the member of the first token **at or after** its hash, and past the last token to that of the first.
/// So a token owns the half-open arc from just after its predecessor up to and including itself.
///
/// *Collisions.* Tokens at one position are in the order of their members' ids; the first of them owns the arc, the
/// others stand behind it with an empty arc of their own. When the first leaves, the next takes over exactly its arc, so that
/// successors are owners after removals here too.
///
/// A ring is a value: it is built once from its members and never changes, and equal members give equal rings on every
/// machine. Whoever holds one looks up without a lock; a new ring is made from the one before (`init(members:reusing:)`) and
/// published by swapping a reference (`PublishedReference`).
///
/// How a look-up is one cache line, and what was tried and rejected: `BucketTable`, Docs/ring.md.
public struct HashRing: Sendable {
  /// 256 tokens keep the largest share near 1.15 times the mean at 100 members of one weight.
  public static let defaultTokensPerWeight = 256
  /// A bound on memory: 16 bytes per token.
  static let maximumTokens = 1 << 24
  /// A member's index has 16 bits, one of whose values is a mark.
  static let maximumMembers = Int(UInt16.max)

  /// In the order of their ids' bytes.
  public let members: [RingMember]
  public let tokensPerWeight: Int
  /// Nil: everybody owns the arcs of its tokens, however many that are.
  public let shareCap: ShareCap?
  /// The tokens.
  let table: BucketTable
  /// Who owns which keys: the same table, unless shares are capped.
  let ownership: BucketTable

  /// - Throws: `HashRingError` when an id is empty, too long or given twice, a weight or the number of tokens is out
  ///   of bounds, or there are more than 65,535 members or 16,777,216 tokens in all.
  public init(
    members: some Sequence<RingMember>, tokensPerWeight: Int = defaultTokensPerWeight, shareCap: ShareCap? = nil
  ) throws(HashRingError) {
    try self.init(members: members, tokensPerWeight: tokensPerWeight, shareCap: shareCap, reusing: nil)
  }

  init(checked members: [RingMember], tokensPerWeight: Int, shareCap: ShareCap?, table: BucketTable? = nil) {
    self.members = members
    self.tokensPerWeight = tokensPerWeight
    self.shareCap = shareCap
    self.table = table ?? Self.table(of: members, tokensPerWeight: tokensPerWeight)
    ownership =
      if let shareCap, members.count > 1 {
        CappedShares.ownership(self.table, weights: members.map(\.weight), cap: shareCap)
      } else {
        self.table
      }
  }

  static func check(_ members: [RingMember], tokensPerWeight: Int) throws(HashRingError) {
    guard (1...65_536).contains(tokensPerWeight) else {
      throw HashRingError(message: "\(tokensPerWeight) tokens per unit of weight; give 1 to 65,536")
    }
    guard members.count <= maximumMembers else {
      throw HashRingError(message: "\(members.count) members; at most \(maximumMembers) are allowed")
    }
    for member in members { try member.check() }
    for (member, next) in zip(members, members.dropFirst()) where !RingMember.inOrder(member, next) {
      throw HashRingError(message: "the member \"\(member.id)\" is given twice; ids are unique on a ring")
    }
    let count = members.reduce(0) { $0 + $1.weight * tokensPerWeight }
    guard count <= maximumTokens else {
      throw HashRingError(
        message:
          "\(count) tokens in all; at most \(maximumTokens) are allowed: lower the weights or the tokens per weight")
    }
  }

  private static func table(of members: [RingMember], tokensPerWeight: Int) -> BucketTable {
    var tokens: [Token] = []
    tokens.reserveCapacity(members.reduce(0) { $0 + $1.weight * tokensPerWeight })
    for (index, member) in members.enumerated() {
      for position in member.tokenPositions(0..<member.weight * tokensPerWeight) {
        tokens.append(Token(position: position, member: UInt32(index)))
      }
    }
    tokens.sort(by: Token.inOrder)
    return BucketTable(positions: tokens.map(\.position), holders: tokens.map { UInt16($0.member) })
  }
}

extension HashRing: Hashable {
  /// The tokens follow from members and tokens per weight, so they need no comparison.
  public static func == (left: Self, right: Self) -> Bool {
    left.tokensPerWeight == right.tokensPerWeight && left.shareCap == right.shareCap && left.members == right.members
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(tokensPerWeight)
    hasher.combine(shareCap)
    hasher.combine(members)
  }
}
