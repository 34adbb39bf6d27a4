import Testing

@testable import EpollSessionEdge

@Suite struct CallIdentifiersTests {
  @Test func openCallsHaveSmallPlacesOfTheirOwnAndNoIdComesTwice() {
    var identifiers = CallIdentifiers()
    var seen: Set<UInt64> = []
    var open: [UInt64] = []
    for turn in 0..<1_000 {
      let id = identifiers.take()
      #expect(seen.insert(id).inserted)
      #expect(!open.contains { place($0) == place(id) })
      open.append(id)
      if open.count > 10 { identifiers.giveBack(open.remove(at: turn % 10)) }
    }
    #expect(open.allSatisfy { place($0) <= 10 })
  }

  private func place(_ id: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: id) }
}
