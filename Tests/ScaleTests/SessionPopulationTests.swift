import HashRing
import Scale
import Testing

@Suite struct SessionPopulationTests {
  private let population = SessionPopulation(count: 20_000, seed: 7)

  @Test func theSameSeedGivesTheSameHashesInOrder() {
    #expect(population.userHashes == SessionPopulation(count: 20_000, seed: 7).userHashes)
    #expect(population.userHashes == population.userHashes.sorted())
    #expect(Set(population.userHashes).count == 20_000)
    #expect(population.userHashes != SessionPopulation(count: 20_000, seed: 8).userHashes)
  }

  @Test func theArcsOfARingHoldEachHashOnceAndOfItsOwner() throws {
    let ring = try HashRing(members: ["a", "b", "c"].map { RingMember(id: $0) }, tokensPerWeight: 16)
    var counted: [UInt64: String] = [:]
    var sum = 0
    for arc in try HashRing(members: []).movedArcs(to: ring) {
      sum += population.count(in: arc)
      population.forEachUser(in: arc) { counted[$0] = arc.to.map { ring.members[$0].id } }
    }
    #expect(sum == 20_000)
    #expect(counted.count == 20_000)
    for (hash, owner) in counted { #expect(ring.owner(of: hash)?.id == owner) }
  }

  @Test func oneArcMayBeTheWholeCircle() throws {
    let ring = try HashRing(members: [RingMember(id: "a")], tokensPerWeight: 1)
    let arcs = try HashRing(members: []).movedArcs(to: ring)
    #expect(arcs.map(\.keys) == [HashRing.allKeys])
    #expect(arcs.map { population.count(in: $0) } == [20_000])
  }
}
