import Testing

@testable import HashRing

@Suite struct HashRingTests {
  @Test func anEmptyRingOwnsNothing() throws {
    let ring = try HashRing(members: [])
    #expect(ring.owner(of: 1) == nil)
    #expect(ring.successors(of: 1, count: 3).isEmpty)
    #expect(ring.shares().isEmpty)
  }

  @Test func theOnlyMemberOwnsTheWholeCircleAlsoWithOneToken() throws {
    let ring = try HashRing(members: [RingMember(id: "a")], tokensPerWeight: 1)
    #expect(ring.keyCounts() == [HashRing.allKeys])
    #expect(ring.owner(of: 0)?.id == "a" && ring.owner(of: .max)?.id == "a")
  }

  @Test func everythingMovesFromNobodyToTheFirstMember() throws {
    let ring = try HashRing(members: [RingMember(id: "a")])
    #expect(
      try HashRing(members: []).movement(to: ring) == [KeyMovement(from: nil, to: "a", keys: HashRing.allKeys)])
    #expect(
      ring.movement(to: try HashRing(members: [])) == [KeyMovement(from: "a", to: nil, keys: HashRing.allKeys)])
  }

  @Test func aTokenOwnsItsOwnPositionAndTheNextOneAboveIsTheNextTokens() throws {
    let ring = try HashRing(
      members: [RingMember(id: "a"), RingMember(id: "b"), RingMember(id: "c")], tokensPerWeight: 4)
    let (positions, holders) = (ring.table.positions, ring.table.holders())
    for (index, position) in positions.enumerated() {
      let next = (index + 1) % positions.count
      #expect(ring.owner(of: position) == ring.members[Int(holders[index])])
      #expect(ring.owner(of: position &+ 1) == ring.members[Int(holders[next])])
    }
  }

  @Test func collidingTokensBelongToTheSmallerId() {
    let tokens = [Token(position: 7, member: 2), Token(position: 7, member: 0), Token(position: 3, member: 1)]
    #expect(
      tokens.sorted(by: Token.inOrder)
        == [Token(position: 3, member: 1), Token(position: 7, member: 0), Token(position: 7, member: 2)])
  }

  /// Of the first bytes of a to z and 0 to 9, from xxHash 0.8.1's shared library.
  private static let hashesByLength: [(Int, UInt64)] = [
    (1, 0xe6c6_32b6_1e96_4e1f), (3, 0x78af_5f94_892f_3950), (4, 0x6497_a96f_53a8_9890),
    (8, 0x6f45_a768_42a9_6483), (9, 0xe0dd_e4fc_1745_90a0), (10, 0xc85f_f0a4_8941_4010),
    (11, 0x386c_b4f2_6618_6f62), (12, 0x52be_ba20_86c3_f6d7), (13, 0xd7b6_fd94_6b75_df4b),
    (14, 0xaa26_cab2_afa3_6140), (15, 0xa8ed_af6d_c272_4d85), (16, 0x3d3c_cac9_af14_d8a8),
    (17, 0xca7f_3571_df47_cacf), (36, 0x1173_f34a_884a_e63c),
  ]

  /// Expected values from `xxhsum -H3` (xxHash 0.8.1) over the same bytes.
  @Test func hashesAndTokensAreTheSameOnEveryMachine() {
    #expect(keyHash("".utf8) == 0x2d06_8005_38d3_94c2)
    #expect(keyHash("user-1".utf8) == 0x7c76_15c1_1438_e5c9)
    #expect(keyHash(AnySequence(Array("user-1".utf8))) == 0x7c76_15c1_1438_e5c9)
    // By the length: each has a rule of its own, and those of 9 to 15 bytes are not hashed by xxHash's code.
    for (length, hash) in Self.hashesByLength {
      let text = String("abcdefghijklmnopqrstuvwxyz0123456789".prefix(length))
      #expect(keyHash(text.utf8) == hash && keyHash(AnySequence(Array(text.utf8))) == hash, "\(length) bytes")
    }
    #expect(RingMember(id: "pod-0").tokenPositions(0..<2) == [0x122b_5730_48d9_7f23, 0x23fa_9e27_7168_23bb])
    #expect(RingMember(id: "pod-1").tokenPositions(0..<1) == [0xbecb_ce53_6ad1_a4af])
  }

  @Test(arguments: [
    ([RingMember(id: "")], 256, "0 bytes"),
    ([RingMember(id: String(repeating: "x", count: 129))], 256, "129 bytes"),
    ([RingMember(id: "a", weight: 0)], 256, "weight 0"),
    ([RingMember(id: "a", weight: 1_001)], 256, "weight 1001"),
    ([RingMember(id: "a"), RingMember(id: "a", weight: 2)], 256, "given twice"),
    ([RingMember(id: "a")], 0, "0 tokens"),
    ([RingMember(id: "a", weight: 1_000)], 65_536, "65536000 tokens"),
  ])
  func malformedInputIsRefusedAndNamed(members: [RingMember], tokens: Int, named: String) {
    #expect {
      _ = try HashRing(members: members, tokensPerWeight: tokens)
    } throws: { ($0 as? HashRingError)?.message.contains(named) == true }
  }

  @Test func readersSeeWholeRingsWhileAnotherIsPublished() async throws {
    let small = try HashRing(members: [RingMember(id: "a")], tokensPerWeight: 8)
    let large = try HashRing(members: [RingMember(id: "a"), RingMember(id: "b")], tokensPerWeight: 8)
    let published = PublishedReference(small)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask {
          (0..<20_000).allSatisfy { _ in
            let ring = published.load()
            return ring == small || ring == large
          }
        }
      }
      group.addTask {
        for turn in 0..<20_000 { published.publish(turn.isMultiple(of: 2) ? large : small) }
        return true
      }
      for await wholeOnly in group { #expect(wholeOnly) }
    }
    #expect(published.load() == small)
  }
}
