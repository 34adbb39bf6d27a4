import HashRing
import Testing

/// Each property over random rings; the seed is the test's argument, so a failure names what replays it.
@Suite struct HashRingPropertyTests {
  static let seeds: [UInt64] = Array(1...24)

  /// 2 to 12 members with weights 1 to 4 and few tokens, so that collisions of arcs and empty shares are met too.
  private func randomMembers(_ generator: inout SeededGenerator) -> [RingMember] {
    (0..<Int.random(in: 2...12, using: &generator)).map {
      RingMember(
        id: "pod-\($0)-\(UInt16.random(in: 0...999, using: &generator))", weight: .random(in: 1...4, using: &generator))
    }
  }

  private func ring(_ members: [RingMember], _ generator: inout SeededGenerator) throws -> HashRing {
    try HashRing(members: members, tokensPerWeight: [1, 3, 16, 64].randomElement(using: &generator)!)
  }

  private func keys(_ generator: inout SeededGenerator, count: Int = 500) -> [UInt64] {
    (0..<count).map { _ in generator.next() }
  }

  @Test(arguments: seeds) func aJoinMovesKeysOnlyToTheNewcomer(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let members = randomMembers(&generator)
    let before = try ring(members, &generator)
    let newcomer = RingMember(id: "newcomer", weight: .random(in: 1...4, using: &generator))
    let after = try HashRing(members: members + [newcomer], tokensPerWeight: before.tokensPerWeight)
    for key in keys(&generator) where after.owner(of: key) != before.owner(of: key) {
      #expect(after.owner(of: key) == newcomer)
    }
    let movement = before.movement(to: after)
    #expect(!movement.isEmpty && movement.allSatisfy { $0.to == "newcomer" })
    let index = try #require(after.members.firstIndex(of: newcomer))
    #expect(movement.reduce(0) { $0 + $1.keys } == after.keyCounts()[index])
  }

  @Test(arguments: seeds) func aLeaveMovesOnlyTheLeaversKeys(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let members = randomMembers(&generator)
    let before = try ring(members, &generator)
    let leaver = members.randomElement(using: &generator)!
    let after = try HashRing(members: members.filter { $0 != leaver }, tokensPerWeight: before.tokensPerWeight)
    for key in keys(&generator) where before.owner(of: key) != leaver {
      #expect(after.owner(of: key) == before.owner(of: key))
    }
    #expect(before.movement(to: after).allSatisfy { $0.from == leaver.id })
  }

  @Test(arguments: seeds) func joinThenLeaveRestoresEveryOwner(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let members = randomMembers(&generator)
    let before = try ring(members, &generator)
    let joined = try HashRing(members: members + [RingMember(id: "visitor")], tokensPerWeight: before.tokensPerWeight)
    let left = try HashRing(
      members: joined.members.filter { $0.id != "visitor" }, tokensPerWeight: before.tokensPerWeight)
    #expect(left == before)
    #expect(before.movement(to: left).isEmpty)
    for key in keys(&generator) { #expect(left.owner(of: key) == before.owner(of: key)) }
    let there = before.movement(to: joined).map { [$0.from, $0.to] }
    let back = joined.movement(to: left).map { [$0.to, $0.from] }
    #expect(Set(there) == Set(back))
  }

  @Test(arguments: seeds) func sharesAddUpToAllKeys(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let ring = try ring(randomMembers(&generator), &generator)
    #expect(ring.keyCounts().reduce(0, +) == HashRing.allKeys)
    #expect(abs(ring.shares().reduce(0, +) - 1) < 1e-12)
  }

  @Test(arguments: seeds) func successorsAreTheOwnersAfterRemovals(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let members = randomMembers(&generator)
    let whole = try ring(members, &generator)
    for key in keys(&generator, count: 40) {
      let successors = whole.successors(of: key, count: members.count)
      #expect(Set(successors) == Set(members) && successors.count == members.count)
      var remaining = members
      for successor in successors {
        let smaller = try HashRing(members: remaining, tokensPerWeight: whole.tokensPerWeight)
        #expect(smaller.owner(of: key) == successor)
        remaining.removeAll { $0 == successor }
      }
    }
  }

  @Test(arguments: seeds) func equalInputsGiveEqualRings(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let members = randomMembers(&generator)
    let first = try ring(members, &generator)
    let second = try HashRing(members: members.shuffled(using: &generator), tokensPerWeight: first.tokensPerWeight)
    #expect(first == second && first.hashValue == second.hashValue)
    for key in keys(&generator) {
      #expect(first.successors(of: key, count: 3) == second.successors(of: key, count: 3))
    }
  }

  @Test(arguments: seeds) func movementAgreesWithTheOwnersOfSampledKeys(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let before = try ring(randomMembers(&generator), &generator)
    let after = try ring(randomMembers(&generator), &generator)
    let movement = before.movement(to: after)
    let pairs = Set(movement.map { [$0.from, $0.to] })
    for key in keys(&generator) {
      let pair = [before.owner(of: key)?.id, after.owner(of: key)?.id]
      #expect(pair[0] == pair[1] || pairs.contains(pair))
    }
    // What each member loses and gains is exactly the difference between its shares.
    for id in Set((before.members + after.members).map(\.id)) {
      func count(in ring: HashRing) -> KeyCount {
        ring.members.firstIndex { $0.id == id }.map { ring.keyCounts()[$0] } ?? 0
      }
      let lost = movement.filter { $0.from == id }.reduce(KeyCount(0)) { $0 + $1.keys }
      let gained = movement.filter { $0.to == id }.reduce(KeyCount(0)) { $0 + $1.keys }
      #expect(count(in: before) - lost + gained == count(in: after))
    }
  }

  @Test func sharesFollowWeights() throws {
    let members = (0..<10).map { RingMember(id: "pod-\($0)", weight: $0 < 5 ? 1 : 3) }
    let ring = try HashRing(members: members)
    for (member, share) in zip(ring.members, ring.shares()) {
      let fair = Double(member.weight) / 20
      #expect(abs(share - fair) < 0.25 * fair, "\(member.id) has \(share), fair would be \(fair)")
    }
  }

  @Test func moreWeightOnlyTakesKeysAndLessOnlyGivesThem() throws {
    let light = try HashRing(members: [RingMember(id: "a"), RingMember(id: "b"), RingMember(id: "c")])
    let heavy = try HashRing(members: [RingMember(id: "a", weight: 2), RingMember(id: "b"), RingMember(id: "c")])
    #expect(light.movement(to: heavy).allSatisfy { $0.to == "a" })
    #expect(heavy.movement(to: light).allSatisfy { $0.from == "a" })
  }

  /// One after the other, or many at once: a ring that was made from another is the one made from nothing.
  @Test(arguments: seeds) func aRingMadeFromAnotherIsTheSame(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var ring = try ring(randomMembers(&generator), &generator)
    for _ in 0..<8 {
      var members = ring.members.filter { _ in Int.random(in: 0..<4, using: &generator) > 0 }
      members += (0..<Int.random(in: 1...24, using: &generator)).map {
        RingMember(id: "other-\($0)-\(generator.next() % 97)", weight: .random(in: 1...4, using: &generator))
      }
      members = Dictionary(members.map { ($0.id, $0) }) { $1 }.values.map {
        RingMember(id: $0.id, weight: Bool.random(using: &generator) ? $0.weight : 2)
      }
      let fresh = try HashRing(members: members, tokensPerWeight: ring.tokensPerWeight)
      ring = try HashRing(members: members, tokensPerWeight: ring.tokensPerWeight, reusing: ring)
      #expect(ring == fresh && ring.keyCounts() == fresh.keyCounts())
      for key in keys(&generator, count: 200) {
        #expect(ring.successors(of: key, count: 3) == fresh.successors(of: key, count: 3))
      }
    }
  }

  @Test func aKeyIsLookedUpAsItsHash() throws {
    let ring = try HashRing(members: (0..<20).map { RingMember(id: "pod-\($0)") })
    for length in 0...40 {
      let key = String(repeating: "ä", count: length / 2) + String(repeating: "x", count: length % 2)
      #expect(ring.ownerIndex(ofKey: key.utf8) == ring.ownerIndex(of: keyHash(key.utf8)))
      #expect(keyHash(key.utf8) == keyHash(AnySequence(Array(key.utf8))))
    }
    #expect(try HashRing(members: []).ownerIndex(ofKey: "x".utf8) == nil)
  }
}
