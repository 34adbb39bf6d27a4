internal import HashRing
public import Placement

/// Reads a clock and the allocator for what is measured here; the core has neither. Best a clock of CPU time.
public struct Instruments {
  public let now: () -> Duration
  /// Bytes that the process has allocated and not freed.
  public let allocatedBytes: () -> Int

  public init(now: @escaping () -> Duration, allocatedBytes: @escaping () -> Int) {
    self.now = now
    self.allocatedBytes = allocatedBytes
  }

  func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = now()
    try body()
    return (now() - start) / .seconds(1)
  }
}

/// Why what the real placement did is not what the count of arcs says.
public struct RehearsalFailure: Error, CustomStringConvertible {
  public let description: String
}

/// The real `MemberPlacement` of the members that a change concerns, with all of their sessions: they tell each other of
/// strays until they may acknowledge.
///
/// Members beyond the budget are left out, whole: those taken part have all their sessions, so that times and bytes per
/// pod are those of the product.
public struct Rehearsal: Codable, Sendable {
  public private(set) var members = 0
  public private(set) var sessions = 0
  /// Of the reporters that the change has.
  public private(set) var reporters = 0
  public private(set) var reports = 0
  public private(set) var entries = 0
  /// What a pod does when it learns of the new view: mean, and the longest.
  public private(set) var secondsOfViewChange = 0.0
  public private(set) var longestSecondsOfViewChange = 0.0
  /// Owners' time per entry recorded.
  public private(set) var microsecondsPerEntry = 0.0
  public private(set) var bytesPerSession = 0.0
  /// At both ends together: reported, and in the owner's ledger.
  public private(set) var bytesPerStray = 0.0

  /// Members without anything to tell that take part as well: the change costs them something too.
  private static let bystanders = 3

  /// - Parameter budget: how many sessions the members that take part may have.
  public init(
    _ change: ViewChange, _ movement: SessionMovement, _ population: SessionPopulation, budget: Int,
    instruments: Instruments
  ) throws {
    let counts = Self.sessionCounts(population, change.before)
    let cast = Self.cast(change, movement, counts, budget: budget)
    members = cast.count
    let allocated = instruments.allocatedBytes()
    var placements = Self.populate(cast, population, change)
    sessions = placements.values.reduce(0) { $0 + $1.userCount }
    if sessions > 0 { bytesPerSession = Double(instruments.allocatedBytes() - allocated) / Double(sessions) }
    let beforeChange = instruments.allocatedBytes()
    learn(change, &placements, instruments)
    try tell(change, movement, &placements, beforeChange, instruments)
  }

  // MARK: Who takes part

  public static func sessionCounts(_ population: SessionPopulation, _ view: View) -> [Incarnation: Int] {
    let owners = SessionMovement.incarnations(view)
    var counts = [Int](repeating: 0, count: owners.count)
    for arc in allArcs(view) {
      if let owner = arc.to { counts[owner] += population.count(in: arc) }
    }
    return Dictionary(uniqueKeysWithValues: zip(owners, counts))
  }

  private static func allArcs(_ view: View) -> [MovedArc] {
    guard let nobody = try? HashRing(members: []) else { return [] }
    return nobody.movedArcs(to: view.ring)
  }

  private static func cast(
    _ change: ViewChange, _ movement: SessionMovement, _ counts: [Incarnation: Int], budget: Int
  ) -> Set<Incarnation> {
    let reporters = Set(movement.straysByPair.keys.map(\.reporter))
    let bystanders = change.before.members.lazy.map(\.incarnation)
      .filter { !reporters.contains($0) && change.after.member($0)?.state == .active }
    var cast: Set<Incarnation> = []
    var left = budget
    for incarnation in reporters.sorted() + bystanders.prefix(Self.bystanders) {
      let sessions = counts[incarnation] ?? 0
      guard cast.isEmpty || sessions <= left else { continue }
      left -= sessions
      cast.insert(incarnation)
    }
    return cast
  }

  private static func populate(_ cast: Set<Incarnation>, _ population: SessionPopulation, _ change: ViewChange)
    -> [Incarnation: MemberPlacement]
  {
    let window = Window(settled: change.before, current: change.before)
    var placements: [Incarnation: MemberPlacement] = [:]
    for incarnation in cast { placements[incarnation] = placement(incarnation, window) }
    let owners = SessionMovement.incarnations(change.before)
    for arc in allArcs(change.before) {
      guard let owner = arc.to, cast.contains(owners[owner]) else { continue }
      population.forEachUser(in: arc) { placements[owners[owner]]?.sessionArriving(userHash: $0) }
    }
    return placements
  }

  private static func placement(_ incarnation: Incarnation, _ window: Window) -> MemberPlacement {
    MemberPlacement(incarnation: incarnation, window: window, leaseEnds: .seconds(600), admitsFrom: .zero)
  }

  // MARK: What they do

  private mutating func learn(
    _ change: ViewChange, _ placements: inout [Incarnation: MemberPlacement], _ instruments: Instruments
  ) {
    for incarnation in placements.keys.sorted() {
      let seconds = instruments.seconds {
        _ = placements[incarnation]?.windowChanged(change.window, claimsEnd: .seconds(600))
      }
      secondsOfViewChange += seconds / Double(members)
      longestSecondsOfViewChange = max(longestSecondsOfViewChange, seconds)
    }
  }

  private mutating func tell(
    _ change: ViewChange, _ movement: SessionMovement, _ placements: inout [Incarnation: MemberPlacement],
    _ allocatedBefore: Int, _ instruments: Instruments
  ) throws {
    var ownersOf: [Incarnation: Int] = [:]
    for pair in movement.straysByPair.keys { ownersOf[pair.reporter, default: 0] += 1 }
    var owners: [Incarnation: MemberPlacement] = [:]
    var told: [Incarnation: Int] = [:]
    var recording = 0.0
    for incarnation in placements.keys.sorted() {
      guard var reporter = placements.removeValue(forKey: incarnation) else { continue }
      let ownersToTell = reporter.ownersToTell
      if !ownersToTell.isEmpty { reporters += 1 }
      for owner in ownersToTell {
        var placement = owners.removeValue(forKey: owner) ?? Self.placement(owner, change.window)
        while let report = reporter.nextReport(to: owner) {
          reports += 1
          entries += report.entries.count
          told[owner, default: 0] += report.entries.count
          recording += instruments.seconds {
            _ = reporter.receiptReceived(placement.record(report), from: owner)
          }
        }
        owners[owner] = placement
        let expected = movement.straysByPair[.init(reporter: incarnation, owner: owner)] ?? 0
        guard reporter.nextReport(to: owner) == nil, expected > 0 else {
          throw RehearsalFailure(description: "\(incarnation) told \(owner) of users that do not move")
        }
      }
      let expected = ownersOf[incarnation] ?? 0
      guard ownersToTell.count == expected, reporter.viewToAcknowledge == change.after.stamp else {
        throw RehearsalFailure(
          description: "\(incarnation) told \(ownersToTell.count) owners of \(expected), or can't acknowledge the view")
      }
      placements[incarnation] = reporter
    }
    for (owner, entries) in told where owners[owner]?.strayCount != entries {
      throw RehearsalFailure(description: "\(owner) was told of \(entries) users and knows another number")
    }
    guard entries > 0 else { return }
    microsecondsPerEntry = recording * 1_000_000 / Double(entries)
    bytesPerStray = Double(instruments.allocatedBytes() - allocatedBefore) / Double(entries)
  }
}
