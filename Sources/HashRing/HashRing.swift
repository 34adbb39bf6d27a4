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
/// machine. Whoever holds one looks up without a lock; a new ring is published by swapping a reference
/// (`PublishedReference`).
///
/// *Rejected:* hash modulo the number of members (moves nearly every key when a member comes); jump hash (members
/// can only be added and removed at the end); rendezvous hashing (look-ups cost as many hashes as there are
/// members).
public struct HashRing: Sendable {
  /// 256 tokens keep the largest share near 1.15 times the mean at 100 members of one weight.
  public static let defaultTokensPerWeight = 256
  /// A bound on memory: 12 bytes per token.
  static let maximumTokens = 1 << 24

  /// In the order of their ids' bytes.
  public let members: [RingMember]
  public let tokensPerWeight: Int
  /// In ascending order, ties in the order of their members.
  let positions: [UInt64]
  /// The member of each position, as an index into `members`.
  let holders: [UInt32]

  /// - Throws: `HashRingError` when an id is empty, too long or given twice, a weight or the number of tokens is out
  ///   of bounds, or there are more than 16,777,216 tokens in all.
  public init(members: some Sequence<RingMember>, tokensPerWeight: Int = defaultTokensPerWeight)
    throws(HashRingError)
  {
    let ordered = members.sorted(by: RingMember.inOrder)
    try Self.check(ordered, tokensPerWeight: tokensPerWeight)
    self.members = ordered
    self.tokensPerWeight = tokensPerWeight
    let tokens = Self.tokens(of: ordered, tokensPerWeight: tokensPerWeight)
    positions = tokens.map(\.position)
    holders = tokens.map(\.member)
  }

  private static func check(_ members: [RingMember], tokensPerWeight: Int) throws(HashRingError) {
    guard (1...65_536).contains(tokensPerWeight) else {
      throw HashRingError(message: "\(tokensPerWeight) tokens per unit of weight; give 1 to 65,536")
    }
    for member in members { try member.check() }
    for (member, next) in zip(members, members.dropFirst()) where member.id.utf8.elementsEqual(next.id.utf8) {
      throw HashRingError(message: "the member \"\(member.id)\" is given twice; ids are unique on a ring")
    }
    let count = members.reduce(0) { $0 + $1.weight * tokensPerWeight }
    guard count <= maximumTokens else {
      throw HashRingError(
        message:
          "\(count) tokens in all; at most \(maximumTokens) are allowed: lower the weights or the tokens per weight")
    }
  }

  private static func tokens(of members: [RingMember], tokensPerWeight: Int) -> [Token] {
    var tokens: [Token] = []
    tokens.reserveCapacity(members.reduce(0) { $0 + $1.weight * tokensPerWeight })
    for (index, member) in members.enumerated() {
      for number in 0..<(member.weight * tokensPerWeight) {
        tokens.append(Token(position: member.tokenPosition(number), member: UInt32(index)))
      }
    }
    tokens.sort(by: Token.inOrder)
    return tokens
  }
}

extension HashRing: Hashable {
  /// The tokens follow from members and tokens per weight, so they need no comparison.
  public static func == (left: Self, right: Self) -> Bool {
    left.tokensPerWeight == right.tokensPerWeight && left.members == right.members
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(tokensPerWeight)
    hasher.combine(members)
  }
}
