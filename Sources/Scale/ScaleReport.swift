/// Everything that `pushring scale` finds out; also its JSON.
public struct ScaleReport: Codable, Sendable {
  public var machine: String
  public var command: String
  public var seed: UInt64
  public var seconds: Double
  public var assumptions: ScaleAssumptions
  public var costs: RegistryCosts
  public var sizes: [SizeReport]
  public var breaks: [BreakingPoint]

  public init(
    machine: String, command: String, seed: UInt64, seconds: Double, assumptions: ScaleAssumptions,
    costs: RegistryCosts, sizes: [SizeReport], breaks: [BreakingPoint]
  ) {
    self.machine = machine
    self.command = command
    self.seed = seed
    self.seconds = seconds
    self.assumptions = assumptions
    self.costs = costs
    self.sizes = sizes
    self.breaks = breaks
  }
}

/// Where a limit ends, with so many sessions on each pod.
public struct BreakingPoint: Codable, Hashable, Sendable {
  public var name: String
  public var sessionsPerPod: Int
  /// The most pods at which it holds.
  public var pods: Int

  public init(name: String, sessionsPerPod: Int, pods: Int) {
    self.name = name
    self.sessionsPerPod = sessionsPerPod
    self.pods = pods
  }
}

public struct SizeReport: Codable, Sendable {
  public var pods: Int
  public var sessions: Int
  public var fewestSessionsOfAPod: Int
  public var mostSessionsOfAPod: Int
  public var pod: PodCosts
  public var registry: RegistryLoad
  public var events: [EventReport]
  /// The nearest to breaking first.
  public var limits: [ScaleLimit]
}

/// What placement costs a pod.
public struct PodCosts: Codable, Hashable, Sendable {
  /// One view with its ring and members. A window has two, which are one and the same when the cluster is quiet.
  public var viewBytes: Int
  public var viewBuildSeconds: Double
  public var ownerLookupNanoseconds: Double
  /// In the placement's tables, per session (of a user with one).
  public var bytesPerSession: Double
  public var bytesPerStray: Double
}

public struct EventReport: Codable, Sendable {
  public var event: ScaleEvent
  public var moved: Int
  public var strays: Int
  public var disconnected: Int
  /// `moved` of all sessions.
  public var movedShare: Double
  /// What it would be if the ring were perfectly even.
  public var evenShare: Double
  public var messages: SettlingMessages
  /// To all pods and Senders together: the change, and that it has settled. A zone's leases do not all end in one moment, so
  /// it may be several changes, of the same length together.
  public var announcedBytes: Double
  public var rehearsal: Rehearsal
}
