import Testing

@testable import HashRing

struct NeighbourTests {
  @Test func theFirstTokenAtOrAfterAKeyIsItsOwners() throws {
    let ring = try HashRing(members: ["a", "b", "c"].map { RingMember(id: $0) }, tokensPerWeight: 8)
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<1_000 {
      let key = generator.next()
      let around = ring.neighbours(of: key, before: 2, after: 3)
      #expect(around.before.count == 2 && around.after.count == 3)
      #expect(around.after.first?.member == ring.owner(of: key))
      // Distances along the circle, from the one farthest before.
      let tokens = (around.before + around.after).map { $0.position &- around.before[0].position }
      #expect(tokens == tokens.sorted())
      #expect(around.before[1].position &- around.before[0].position < key &- around.before[0].position)
    }
  }

  @Test func noMoreThanThereAre() throws {
    let ring = try HashRing(members: [RingMember(id: "a")], tokensPerWeight: 2)
    let around = ring.neighbours(of: 5, before: 3, after: 3)
    #expect(around.after.count == 2 && around.before.isEmpty)
    let none = try HashRing(members: [] as [RingMember]).neighbours(of: 5, before: 3, after: 3)
    #expect(none.before.isEmpty && none.after.isEmpty)
  }
}
