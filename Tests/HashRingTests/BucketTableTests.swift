import Testing

@testable import HashRing

/// The table against a plain scan of its tokens, over tokens that collide: the positions are drawn from few values, so that
/// tokens share positions, keys share residues with tokens, buckets are empty and buckets overflow.
@Suite struct BucketTableTests {
  static let seeds: [UInt64] = Array(1...24)

  /// A few crowded places with a few hash values each, or the whole circle.
  private struct Places {
    let centers: [UInt64]
    let width: UInt64

    init(_ generator: inout SeededGenerator) {
      let isCrowded = Bool.random(using: &generator)
      centers = (0..<(isCrowded ? 3 : 200)).map { _ in generator.next() } + [0, .max]
      width = [1, 8, 1 << 20, 1 << 44].randomElement(using: &generator)!
    }

    func position(_ generator: inout SeededGenerator) -> UInt64 {
      centers.randomElement(using: &generator)! &+ .random(in: 0..<width, using: &generator)
    }
  }

  private struct Case {
    let places: Places
    let memberCount: Int
    var tokens: [Token]

    init(_ generator: inout SeededGenerator) {
      places = Places(&generator)
      memberCount = .random(in: 1...40, using: &generator)
      tokens = []
      let count = Int.random(in: 1...400, using: &generator)
      tokens = (0..<count).map { _ in token(.random(in: 0..<memberCount, using: &generator), &generator) }
        .sorted(by: Token.inOrder)
    }

    func token(_ member: Int, _ generator: inout SeededGenerator) -> Token {
      Token(position: places.position(&generator), member: UInt32(member))
    }

    /// At tokens, beside them, on the buckets' edges, and anywhere.
    func keys(_ buckets: UInt64, _ generator: inout SeededGenerator) -> [UInt64] {
      let beside = tokens.flatMap { [$0.position &- 1, $0.position, $0.position &+ 1] }
      let edges = (0..<buckets).flatMap { bucket in
        let edge = buckets == 1 ? 0 : buckets.dividingFullWidth((bucket, 0)).quotient
        return [edge &- 1, edge, edge &+ 1]
      }
      return (beside + edges + [0, .max]).shuffled(using: &generator).prefix(300)
        + (0..<50).map { _ in generator.next() }
    }
  }

  private static func table(_ tokens: [Token], bucketCount: Int? = nil) -> BucketTable {
    BucketTable(
      positions: tokens.map(\.position), holders: tokens.map { UInt16($0.member) }, bucketCount: bucketCount)
  }

  /// The definition: the first token at or after the key, or past the last one the first.
  private static func scannedIndex(_ tokens: [Token], _ key: UInt64) -> Int {
    tokens.firstIndex { $0.position >= key } ?? 0
  }

  private static func expectAgreement(
    _ table: BucketTable, _ tokens: [Token], keys: [UInt64], location: SourceLocation = #_sourceLocation
  ) {
    #expect(table.positions == tokens.map(\.position), sourceLocation: location)
    #expect(table.holders() == tokens.map { UInt16($0.member) }, sourceLocation: location)
    let wrong = keys.first { table.owner(of: $0) != Int(tokens[scannedIndex(tokens, $0)].member) }
    #expect(wrong == nil, "a key with another owner", sourceLocation: location)
    for key in keys.prefix(3) {
      let index = scannedIndex(tokens, key)
      var walk = table.tokens(from: key)
      let met = (0..<tokens.count).map { _ in walk.next()!.member }
      let expected = (0..<tokens.count).map { Int(tokens[(index + $0) % tokens.count].member) }
      #expect(met == expected, "key \(key)", sourceLocation: location)
    }
  }

  @Test(arguments: seeds) func aLookUpAgreesWithAScan(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let random = Case(&generator)
    for buckets in [nil, 1, 7, 64] {
      let table = Self.table(random.tokens, bucketCount: buckets)
      Self.expectAgreement(table, random.tokens, keys: random.keys(table.bucketCount, &generator))
    }
  }

  /// What the cases above are made for really occurs.
  @Test func theCasesHaveCollisionsAndBucketsOfEveryKind() {
    var (collisions, empty, full, spilled, sameResidue) = (0, 0, 0, 0, 0)
    for seed in Self.seeds {
      var generator = SeededGenerator(seed: seed)
      let random = Case(&generator)
      let table = Self.table(random.tokens)
      collisions += zip(table.positions, table.positions.dropFirst()).count { $0 == $1 }
      let residues = table.positions.map { $0.multipliedFullWidth(by: table.bucketCount).low >> 48 }
      sameResidue += zip(residues, residues.dropFirst()).count { $0 == $1 }
      let counts = zip(table.starts, table.starts.dropFirst()).map { $1 - $0 }
      empty += counts.count { $0 == 0 }
      full += counts.count { $0 == 15 }
      spilled += counts.count { $0 > 15 }
    }
    #expect(collisions > 0 && empty > 0 && full > 0 && spilled > 0 && sameResidue > collisions)
  }

  @Test(arguments: seeds) func aChangedTableIsTheTableOfTheChangedTokens(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var random = Case(&generator)
    var memberCount = random.memberCount
    var table = Self.table(random.tokens)
    for _ in 0..<6 {
      // Some members go with all their tokens, some others come, one loses tokens and one gets more.
      let gone = Set((0..<memberCount).filter { _ in Int.random(in: 0..<8, using: &generator) == 0 })
      let remaining = memberCount - gone.count
      let comingCount = Int.random(in: remaining == 0 ? 1...3 : 0...3, using: &generator)
      let after = remaining + comingCount
      let coming = Array((0..<after).shuffled(using: &generator).prefix(comingCount)).sorted()
      let stay = (0..<memberCount).filter { !gone.contains($0) }
      let places = (0..<after).filter { !coming.contains($0) }
      let newIndex = Dictionary(uniqueKeysWithValues: zip(stay, places))

      var (removed, kept): ([Token], [Token]) = ([], [])
      for token in random.tokens {
        guard let index = newIndex[Int(token.member)], Int.random(in: 0..<20, using: &generator) > 0 else {
          removed.append(token)
          continue
        }
        kept.append(Token(position: token.position, member: UInt32(index)))
      }
      let growing = coming + places.prefix(1)
      let added = growing.flatMap { member in
        (0..<Int.random(in: 1...30, using: &generator)).map { _ in random.token(member, &generator) }
      }.sorted(by: Token.inOrder)
      table = table.changed(removed: removed, added: added, Renumbering(removed: gone.sorted(), added: coming))
      random.tokens = (kept + added).sorted(by: Token.inOrder)
      memberCount = after
      Self.expectAgreement(table, random.tokens, keys: random.keys(table.bucketCount, &generator))
    }
  }

  @Test func aTableThatLosesAllTokensCanGetOthers() {
    let tokens = [Token(position: 5, member: 0), Token(position: 5, member: 1)]
    let empty = Self.table(tokens).changed(removed: tokens, added: [], Renumbering(removed: [0, 1], added: []))
    #expect(empty.positions.isEmpty)
    let again = empty.changed(removed: [], added: tokens, Renumbering(removed: [], added: [0, 1]))
    Self.expectAgreement(again, tokens, keys: [0, 4, 5, 6, .max])
  }

  @Test(arguments: [3, 10, 100]) func aTokenTakesAtMostSixteenBytes(members: Int) throws {
    var ring = try HashRing(members: (0..<members).map { RingMember(id: "pod-\($0)") })
    #expect(ring.table.bytes <= 16 * ring.table.positions.count)
    // Also while it grows and shrinks.
    for count in [members * 101 / 100, members * 103 / 100, members * 102 / 100, members * 99 / 100] {
      ring = try HashRing(members: (0..<count).map { RingMember(id: "pod-\($0)") }, reusing: ring)
      #expect(ring.table.bytes <= 16 * ring.table.positions.count)
    }
  }
}
