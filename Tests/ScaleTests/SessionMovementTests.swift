import Placement
import Scale
import Testing

/// Twelve pods and 60,000 sessions.
@Suite struct SessionMovementTests {
  private let population = SessionPopulation(count: 60_000, seed: 1)
  private let shape = ClusterShape(pods: 12)

  private func change(_ event: ScaleEvent) throws -> ViewChange { try shape.change(event, from: shape.quiet()) }

  @Test func aJoinMovesOneInNPlusOneAndOnlyToTheNewcomer() throws {
    let change = try change(.join)
    let movement = SessionMovement(of: population, by: change)
    let newcomer = try #require(change.after.members.last?.incarnation)
    // 256 tokens keep a pod's share within a fifth of the mean.
    #expect(abs(Double(movement.moved) / 60_000 - 1 / 13) < 0.2 / 13)
    #expect(movement.strays == movement.moved)
    #expect(movement.straysByPair.keys.allSatisfy { $0.owner == newcomer })
  }

  @Test(arguments: ScaleEvent.allCases)
  func whatMovesIsWhatChangedItsOwner(_ event: ScaleEvent) throws {
    let change = try change(event)
    let movement = SessionMovement(of: population, by: change)
    let moved = population.userHashes.filter {
      change.before.owner(ofUserHash: $0)?.podID != change.after.owner(ofUserHash: $0)?.podID
    }
    #expect(movement.moved == moved.count)
    #expect(movement.strays + movement.disconnected == movement.moved)
    #expect(movement.straysByPair.values.reduce(0, +) == movement.strays)
  }

  @Test func aDrainingPodTellsOthersOfAllItsSessions() throws {
    let change = try change(.drain)
    let drained = try #require(change.before.members.last?.incarnation)
    let movement = SessionMovement(of: population, by: change)
    #expect(movement.strays == Rehearsal.sessionCounts(population, change.before)[drained])
    #expect(movement.straysByPair.keys.allSatisfy { $0.reporter == drained })
  }

  @Test func aLostZoneDisconnectsItsThirdAndLeavesNoStrays() throws {
    let movement = SessionMovement(of: population, by: try change(.zoneLoss))
    #expect(abs(Double(movement.disconnected) / 60_000 - 1 / 3) < 0.05)
    #expect(movement.strays == 0)
    #expect(SessionMovement(of: population, by: try change(.zoneReturn)).strays == movement.disconnected)
  }

  @Test func reportsHoldAtMostSoManyEntries() throws {
    let movement = SessionMovement(of: population, by: try change(.join))
    let messages = SettlingMessages(movement, members: 13, entriesPerReport: 100, bytesOfReport: { 50 + 9 * $0 })
    #expect(messages.reports == movement.straysByPair.values.reduce(0) { $0 + ($1 + 99) / 100 })
    #expect(messages.bytes == messages.reports * 50 + movement.strays * 9)
    #expect(messages.mostEntriesOfAnOwner == movement.strays)
    #expect(messages.acknowledgements == 13)
  }

  /// `Rehearsal` throws when the real placement tells others than those counted, or can't acknowledge.
  @Test(arguments: ScaleEvent.allCases)
  func theRealPlacementTellsWhatIsCounted(_ event: ScaleEvent) throws {
    let change = try change(event)
    let movement = SessionMovement(of: population, by: change)
    let rehearsal = try Rehearsal(
      change, movement, population, budget: 60_000,
      instruments: Instruments(now: { .zero }, allocatedBytes: { 0 }))
    let messages = SettlingMessages(movement, members: 12, bytesOfReport: { $0 })
    #expect(rehearsal.entries == movement.strays)
    #expect(rehearsal.reports == messages.reports)
    #expect(rehearsal.reporters == messages.reporters)
  }
}
