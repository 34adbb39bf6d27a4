import Testing

@testable import HashRing

@Suite struct ShareCapTests {
  static let seeds: [UInt64] = Array(1...16)

  /// 2 to 12 members with weights 1 to 4; a few tokens, so that an arc may be larger than a member's fair part.
  private struct Case {
    let members: [RingMember]
    let tokens: Int
    let cap: ShareCap

    init(_ generator: inout SeededGenerator) throws {
      members = (0..<Int.random(in: 2...12, using: &generator)).map {
        RingMember(
          id: "pod-\($0)-\(UInt16.random(in: 0...999, using: &generator))",
          weight: .random(in: 1...4, using: &generator))
      }
      tokens = [1, 3, 16, 64].randomElement(using: &generator)!
      cap = try ShareCap(percent: [101, 105, 110, 150].randomElement(using: &generator)!)
    }

    func ring(_ members: [RingMember], cap: ShareCap? = nil) throws -> HashRing {
      try HashRing(members: members, tokensPerWeight: tokens, shareCap: cap)
    }
  }

  /// The most hash values that each member may own.
  private static func limits(_ ring: HashRing, _ cap: ShareCap) -> [KeyCount] {
    let total = ring.members.reduce(0) { $0 + $1.weight }
    return ring.members.map { HashRing.allKeys * KeyCount($0.weight * cap.percent) / KeyCount(100 * total) }
  }

  @Test(arguments: seeds) func nobodyOwnsMoreThanItsCapAndEveryKeyIsOwned(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let random = try Case(&generator)
    let ring = try random.ring(random.members, cap: random.cap)
    #expect(zip(ring.keyCounts(), Self.limits(ring, random.cap)).allSatisfy { $0 <= $1 })
    #expect(ring.keyCounts().reduce(0, +) == HashRing.allKeys)
  }

  /// With the tokens and the cap that the documents advise, of members of one weight and of four.
  @Test(arguments: [3, 10, 100, 1_000], [1, 4])
  func theCapHoldsAtEverySize(members: Int, largestWeight: Int) throws {
    let cap = try ShareCap(percent: 110)
    let members = (0..<members).map { RingMember(id: "pod-\($0)", weight: 1 + $0 % largestWeight) }
    let ring = try HashRing(members: members, tokensPerWeight: 256, shareCap: cap)
    let limits = Self.limits(ring, cap)
    #expect(zip(ring.keyCounts(), limits).allSatisfy { $0 <= $1 })
    #expect(ring.keyCounts().reduce(0, +) == HashRing.allKeys)
    // Without it somebody has more, so the cap was put to the test.
    let plain = try HashRing(members: members, tokensPerWeight: 256)
    #expect(members.count < 100 || zip(plain.keyCounts(), limits).contains { $0 > $1 })
  }

  /// Whoever is passed over on the way from a key to its owner is full.
  @Test(arguments: seeds) func aKeyBelongsToTheFirstMemberAfterItThatWasNotFull(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let random = try Case(&generator)
    let plain = try random.ring(random.members)
    let capped = try random.ring(random.members, cap: random.cap)
    let full = zip(capped.keyCounts(), Self.limits(capped, random.cap)).map { $0 == $1 }
    var passedOver = 0
    for _ in 0..<2_000 {
      let key = generator.next()
      let owner = try #require(capped.ownerIndex(of: key))
      let passed = plain.successorIndices(of: key, count: plain.members.count).prefix { $0 != owner }
      #expect(passed.allSatisfy { full[$0] })
      passedOver += passed.count
    }
    let isOver = zip(plain.keyCounts(), Self.limits(plain, random.cap)).contains { $0 > $1 }
    #expect(!isOver || passedOver > 0)
  }

  @Test(arguments: seeds) func membersBelowTheirCapKeepTheirOwnKeys(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let random = try Case(&generator)
    let plain = try random.ring(random.members)
    let capped = try random.ring(random.members, cap: random.cap)
    let limits = Self.limits(plain, random.cap)
    let isOver = Dictionary(uniqueKeysWithValues: zip(plain.members.map(\.id), zip(plain.keyCounts(), limits).map(>)))
    // Only those above give, exactly what is too much.
    let movement = plain.movement(to: capped)
    #expect(movement.allSatisfy { isOver[$0.from ?? ""] == true })
    let excess = zip(plain.keyCounts(), limits).reduce(KeyCount(0)) { $0 + ($1.0 > $1.1 ? $1.0 - $1.1 : 0) }
    #expect(movement.reduce(0) { $0 + $1.keys } == excess)
  }

  @Test(arguments: seeds) func successorsAreTheOwnerAndThenTheMembersAfterTheKey(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let random = try Case(&generator)
    let plain = try random.ring(random.members)
    let capped = try random.ring(random.members, cap: random.cap)
    for _ in 0..<200 {
      let key = generator.next()
      let owner = try #require(capped.owner(of: key))
      let natural = plain.successors(of: key, count: plain.members.count)
      #expect(capped.successors(of: key, count: plain.members.count) == [owner] + natural.filter { $0 != owner })
    }
  }

  /// What a successor still promises: without the owner, the key's new owner is the next of them that is not full.
  @Test(arguments: seeds) func whoeverTakesOverIsTheNextSuccessorThatIsNotFull(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let random = try Case(&generator)
    let whole = try random.ring(random.members, cap: random.cap)
    for leaver in random.members where random.members.count > 2 {
      let smaller = try random.ring(random.members.filter { $0 != leaver }, cap: random.cap)
      let full = Set(
        zip(smaller.members, zip(smaller.keyCounts(), Self.limits(smaller, random.cap))).filter { $1.0 == $1.1 }
          .map(\.0))
      for _ in 0..<100 {
        let key = generator.next()
        let successors = whole.successors(of: key, count: random.members.count)
        guard successors[0] == leaver else { continue }
        let owner = try #require(smaller.owner(of: key))
        #expect(successors.dropFirst().prefix { $0 != owner }.allSatisfy(full.contains))
      }
    }
  }

  /// With the number of tokens that pods have, nearly all keys of a member that goes are at their next successor.
  @Test func theNextSuccessorNearlyAlwaysTakesOver() throws {
    let members = (0..<20).map { RingMember(id: "pod-\($0)") }
    let cap = try ShareCap(percent: 110)
    let whole = try HashRing(members: members, shareCap: cap)
    let smaller = try HashRing(members: members.dropLast(), shareCap: cap)
    var generator = SeededGenerator(seed: 1)
    var (asked, kept) = (0, 0)
    while asked < 1_000 {
      let key = generator.next()
      let successors = whole.successors(of: key, count: 2)
      guard successors[0] == members.last else { continue }
      asked += 1
      kept += smaller.owner(of: key) == successors[1] ? 1 : 0
    }
    #expect(kept >= 970, "\(kept) of \(asked)")
  }

  @Test(arguments: seeds) func howARingWasMadeMakesNoDifference(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let random = try Case(&generator)
    let once = try random.ring(random.members, cap: random.cap)
    var ring = try random.ring([random.members[0]], cap: random.cap)
    for count in 2...random.members.count {
      ring = try HashRing(
        members: random.members.prefix(count), tokensPerWeight: random.tokens, shareCap: random.cap, reusing: ring)
    }
    #expect(ring == once)
    #expect(ring.movement(to: once).isEmpty)
    let plain = try HashRing(members: random.members, tokensPerWeight: random.tokens, reusing: ring)
    let fresh = try random.ring(random.members)
    #expect(plain != ring && plain == fresh && plain.movement(to: fresh).isEmpty)
  }

  @Test func theOnlyMemberOwnsAllHoweverLowTheCap() throws {
    let ring = try HashRing(members: [RingMember(id: "a")], tokensPerWeight: 1, shareCap: try ShareCap(percent: 101))
    #expect(ring.keyCounts() == [HashRing.allKeys])
  }

  @Test(arguments: [3, 10, 100]) func theExtraMovementOfAJoinIsSmall(count: Int) throws {
    let members = (0..<count).map { RingMember(id: "pod-\($0)") }
    let cap = try ShareCap(percent: 110)
    func moved(_ cap: ShareCap?) throws -> Double {
      let before = try HashRing(members: members, shareCap: cap)
      let after = try HashRing(members: members + [RingMember(id: "newcomer")], shareCap: cap)
      return before.movement(to: after).reduce(0) { $0 + $1.share }
    }
    let (capped, plain) = (try moved(cap), try moved(nil))
    #expect(capped < 1.25 * plain)
  }

  @Test(arguments: [100, 201, -5]) func aCapOutOfBoundsIsRefused(percent: Int) {
    #expect {
      _ = try ShareCap(percent: percent)
    } throws: { ($0 as? HashRingError)?.message == "a share cap of \(percent) percent; give 101 to 200" }
  }
}
