import Placement
import Testing

/// Where a client goes when its pod is gone: in the ring's order, and into other zones.
@Suite struct ZoneTests {
  private func view(_ zones: [String]) throws -> View {
    let members = zones.enumerated().map { index, zone in
      Member(
        incarnation: incarnation(UInt64(index + 1)),
        description: MemberDescription(
          podID: "pod-\(index + 1)", endpoint: "h:\(index)", peerEndpoint: "p:\(index)", zone: zone),
        state: .active, since: 1)
    }
    return try View(stamp: ViewStamp(version: 1, digest: 1), members: members, tokensPerWeight: 16)
  }

  private let hashes = (0..<300).map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }

  @Test func theThirdIsInAnotherZoneIfThereIsOne() throws {
    let view = try view(["a", "a", "a", "a", "a", "b"])
    for hash in hashes {
      let zones = view.successors(ofUserHash: hash, count: 3).map(\.description.zone)
      #expect(zones.count == 3 && zones.contains("b"))
    }
  }

  @Test func asManyZonesAreNamedAsThereIsRoomFor() throws {
    let view = try view(["a", "b", "c", "d", "a", "b", "c", "d"])
    for hash in hashes {
      let named = view.successors(ofUserHash: hash, count: 4).map(\.description.zone)
      // The first two are who owns the user, and who does next, wherever they are.
      #expect(Set(named).count >= 3)
      #expect(Set(named.dropFirst()).count == 3)
    }
  }

  @Test func theOwnerAndItsHeirComeFirstWhateverTheirZones() throws {
    let (zoned, plain) = (try view(["a", "a", "b", "b", "c"]), try view(["", "", "", "", ""]))
    for hash in hashes {
      let order = plain.successors(ofUserHash: hash, count: 5).map(\.podID)
      #expect(zoned.successors(ofUserHash: hash, count: 3).prefix(2).map(\.podID) == Array(order.prefix(2)))
      #expect(zoned.owner(ofUserHash: hash)?.podID == order.first)
      // Nobody is named twice, and with room for all, all are named.
      #expect(Set(zoned.successors(ofUserHash: hash, count: 5).map(\.podID)).count == 5)
    }
  }

  @Test func withoutZonesTheRingsOrderHolds() throws {
    let view = try view(["", "", "", ""])
    for hash in hashes {
      #expect(
        view.successors(ofUserHash: hash, count: 3).map(\.podID)
          == view.successors(ofUserHash: hash, count: 4).prefix(3).map(\.podID))
    }
  }
}
