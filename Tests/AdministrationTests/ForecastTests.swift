import HashRing
import Placement
import Testing

@testable import Administration

struct RingChangeTests {
  @Test func whatIsAddedRemovedAndReweighted() throws {
    let now = try view([member("a", 1), member("b", 2, weight: 2), member("c", 3, .cordoned, weight: 3)])
    let change = RingChange(
      added: [.init(id: "c"), .init(id: "d", weight: 4), .init(id: "e")], removed: ["a"],
      reweighted: [.init(id: "b", weight: 5)])
    #expect(try change.applied(to: now) == ["b": 5, "c": 3, "d": 4, "e": 1])
  }

  @Test func whatCanNotBe() throws {
    let now = try view([member("a", 1), member("c", 3, .cordoned)])
    for change in [
      RingChange(added: [.init(id: "a")]), RingChange(removed: ["c"]), RingChange(removed: ["a"]),
      RingChange(reweighted: [.init(id: "x", weight: 2)]),
    ] {
      #expect(throws: RingChangeError.self) { try change.applied(to: now) }
    }
  }
}

struct RingForecastTests {
  private func forecast(_ holdings: [RingForecast.Holding], _ change: RingChange, weightOfA: Int = 1) throws
    -> RingForecast
  {
    let now = try view([member("a", 1, weight: weightOfA), member("b", 2)])
    return try RingForecast(
      cluster: "x", view: now, change: change, weights: change.applied(to: now), holdings: holdings, silent: [])
  }

  private func counts(_ sessions: [String: Int]) -> [String: RingForecast.Holding.Count] {
    sessions.mapValues { .init(sessions: $0, movable: $0 - 1) }
  }

  @Test func sessionsGoToTheirOwnersAfterTheChange() throws {
    let told = try forecast(
      [
        .init(podID: "a", limit: 10, now: counts(["a": 8, "b": 2]), then: counts(["a": 5, "b": 1, "c": 4])),
        .init(podID: "b", limit: 0, now: counts(["b": 10]), then: counts(["b": 7, "c": 3])),
      ], RingChange(added: [.init(id: "c")]))
    #expect(told.pods.map(\.id) == ["a", "b", "c"])
    #expect(told.pods.map(\.sessions) == [10, 10, 0])
    #expect(told.pods.map(\.sessionsAfter) == [5, 8, 7])
    #expect(told.pods.map(\.weightBefore) == [1, 1, 0] && told.pods.map(\.weightAfter) == [1, 1, 1])
    #expect(told.flows.map { "\($0.from) \($0.to) \($0.sessions) \($0.movable)" } == ["a c 4 3", "b c 3 2", "a b 1 0"])
    #expect(told.reconnects == 8 && told.straysNow == 2)
    #expect(abs(told.balanceAfter.sessions - 1.2) < 1e-9)
    #expect(Set(told.movement.map(\.to)) == ["c"])
    #expect(abs(told.movedShare - told.pods[2].shareAfter) < 1e-9)
    #expect(told.text(.plain).contains("expected reconnects: 8"))
  }

  @Test func aPodThatWouldBeTooFullIsNamed() throws {
    let told = try forecast(
      [
        .init(podID: "a", limit: 4, now: counts(["a": 4]), then: counts(["a": 4])),
        .init(podID: "b", limit: 4, now: counts(["b": 3]), then: counts(["a": 3])),
      ], RingChange(removed: ["b"]))
    #expect(told.pods.map(\.isBeyondLimit) == [true, false])
    #expect(told.text(.plain).contains("a would be full"))
  }

  @Test func balanceIsByWeight() throws {
    let told = try forecast(
      [
        .init(podID: "a", limit: 0, now: counts(["a": 30]), then: counts(["a": 30])),
        .init(podID: "b", limit: 0, now: counts(["b": 10]), then: counts(["b": 10])),
      ], RingChange(reweighted: [.init(id: "b", weight: 3)]), weightOfA: 3)
    #expect(abs(told.balanceBefore.sessions - 1) < 1e-9)
    #expect(abs(told.balanceAfter.sessions - 1.5) < 1e-9)
  }
}

struct RingDifferenceTests {
  private func report(_ members: [Member], version: UInt64) throws -> ClusterReport {
    let current = try view(members, version: version)
    return ClusterReport(cluster: "x", window: Window(settled: current, current: current), status: [])
  }

  @Test func membersWeightsAndKeysThatChanged() throws {
    let before = try report([member("a", 1), member("b", 2), member("d", 4)], version: 4)
    let after = try report([member("a", 1, weight: 2), member("b", 2, .grace), member("c", 3)], version: 7)
    let difference = try RingDifference(from: before, to: after)
    #expect(
      difference.members.map { "\($0.id) \($0.changes.joined(separator: ","))" } == [
        "a weight 1 → 2", "b state active → grace", "c joined", "d gone",
      ])
    #expect(difference.versionBefore == 4 && difference.versionAfter == 7)
    #expect(!difference.movement.contains { $0.to == "b" || $0.to == "d" } && difference.movedShare > 0.5)
    #expect(!difference.isEmpty)
  }

  @Test func nothingChanged() throws {
    let same = try report([member("a", 1)], version: 4)
    let difference = try RingDifference(from: same, to: same)
    #expect(difference.isEmpty && difference.text(.plain).contains("no change"))
  }
}

struct PaletteTests {
  @Test func colourIsOnlyWhereItIsWanted() {
    var table = TextTable([("A", .left), ("B", .right)])
    table.add(["x", "1"], styles: [0: .bad])
    #expect(table.text == "A  B\nx  1\n")
    #expect(
      table.text(Palette(isColoured: true)) == "\u{1b}[1mA\u{1b}[0m  \u{1b}[1mB\u{1b}[0m\n\u{1b}[31mx\u{1b}[0m  1\n")
    table.add(["\u{1b}[2J", "2"])
    #expect(!table.text.contains("\u{1b}"))
  }
}
