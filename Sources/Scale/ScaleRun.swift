internal import HashRing
internal import Placement

/// One size after another: a quiet cluster with all sessions at home, then each event to it.
///
/// What is counted is exact: each session's hash lies on an arc of the ring, and an arc's sessions have one owner. What
/// pods tell each other is counted the same way, and done by the real `MemberPlacement` of as many pods as the budget
/// allows, which has to give the same numbers.
public struct ScaleRun {
  public var costs: RegistryCosts
  public var assumptions: ScaleAssumptions
  public var seed: UInt64
  /// How many sessions the pods of one rehearsal may have.
  public var rehearsedSessions: Int
  public var instruments: Instruments
  /// Bytes on the wire of a report with so many entries.
  public var bytesOfReport: (Int) -> Int

  public init(
    costs: RegistryCosts, assumptions: ScaleAssumptions, seed: UInt64, rehearsedSessions: Int,
    instruments: Instruments, bytesOfReport: @escaping (Int) -> Int
  ) {
    self.costs = costs
    self.assumptions = assumptions
    self.seed = seed
    self.rehearsedSessions = rehearsedSessions
    self.instruments = instruments
    self.bytesOfReport = bytesOfReport
  }

  public func size(pods: Int, sessions: Int) throws -> SizeReport {
    let population = SessionPopulation(count: sessions, seed: seed)
    let shape = ClusterShape(pods: pods)
    let (quiet, viewCost) = try measuredView(shape)
    let counts = Rehearsal.sessionCounts(population, quiet)
    let load = RegistryLoad(pods: pods, sessions: sessions, costs: costs, assumptions: assumptions)
    let events = try ScaleEvent.allCases.map { event in
      try report(event, shape.change(event, from: quiet), population, load)
    }
    let pod = PodCosts(
      viewBytes: viewCost.bytes, viewBuildSeconds: viewCost.seconds,
      ownerLookupNanoseconds: lookupNanoseconds(quiet, population),
      bytesPerSession: mean(events.map(\.rehearsal.bytesPerSession)),
      bytesPerStray: mean(events.map(\.rehearsal.bytesPerStray).filter { $0 > 0 }))
    let limits = ScaleLimit.all(load, viewBuildSeconds: pod.viewBuildSeconds, assumptions: assumptions)
    return SizeReport(
      pods: pods, sessions: sessions, fewestSessionsOfAPod: counts.values.min() ?? 0,
      mostSessionsOfAPod: counts.values.max() ?? 0, pod: pod, registry: load, events: events,
      limits: limits.sorted { $0.ratio > $1.ratio })
  }

  /// How far each limit goes at so many sessions per pod.
  public func breakingPoints(sessionsPerPod: Int, viewBuildSecondsPerPod: Double) -> [BreakingPoint] {
    let load = RegistryLoad(pods: 1, sessions: 1, costs: costs, assumptions: assumptions)
    return ScaleLimit.all(load, viewBuildSeconds: 0, assumptions: assumptions).map { limit in
      BreakingPoint(
        name: limit.name, sessionsPerPod: sessionsPerPod,
        pods: ScaleLimit.mostPods(
          limit.name, sessionsPerPod: sessionsPerPod, costs: costs, viewBuildSecondsPerPod: viewBuildSecondsPerPod,
          assumptions: assumptions))
    }.sorted { $0.pods < $1.pods }
  }

  private func report(_ event: ScaleEvent, _ change: ViewChange, _ population: SessionPopulation, _ load: RegistryLoad)
    throws -> EventReport
  {
    let pods = load.pods
    let movement = SessionMovement(of: population, by: change)
    let changed =
      switch event {
      case .join: 1.0 / Double(pods + 1)
      case .drain, .crash: 1.0 / Double(pods)
      case .zoneLoss, .zoneReturn: Double(pods / 3) / Double(pods)
      }
    return EventReport(
      event: event, moved: movement.moved, strays: movement.strays, disconnected: movement.disconnected,
      movedShare: Double(movement.moved) / Double(population.count), evenShare: changed,
      messages: SettlingMessages(
        movement, members: change.after.members.count, bytesOfReport: bytesOfReport),
      announcedBytes: load.announcedBytes(lines: change.changedMembers),
      rehearsal: try Rehearsal(change, movement, population, budget: rehearsedSessions, instruments: instruments))
  }

  /// The quicker of two, as another program's work makes it only longer.
  private func measuredView(_ shape: ClusterShape) throws -> (View, cost: (bytes: Int, seconds: Double)) {
    let allocated = instruments.allocatedBytes()
    let start = instruments.now()
    let view = try shape.quiet()
    let first = (instruments.now() - start) / .seconds(1)
    let bytes = instruments.allocatedBytes() - allocated
    let second = try instruments.seconds { _ = try shape.quiet() }
    return (view, (bytes, min(first, second)))
  }

  /// In no order, as pushes come.
  private func lookupNanoseconds(_ view: View, _ population: SessionPopulation) -> Double {
    let lookups = 200_000
    var index = 0
    var found = 0
    let seconds = instruments.seconds {
      for _ in 0..<lookups {
        index = (index &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407) & Int.max
        if view.owner(ofUserHash: population.userHashes[index % population.count]) != nil { found += 1 }
      }
    }
    return found == lookups ? seconds * 1e9 / Double(lookups) : 0
  }

  private func mean(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }
}
