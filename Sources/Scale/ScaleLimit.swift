/// Something that ends at some size.
public struct ScaleLimit: Codable, Hashable, Sendable {
  public let name: String
  public let value: Double
  public let limit: Double
  public let unit: String

  /// Over 1: broken.
  public var ratio: Double { value / limit }
}

extension ScaleLimit {
  /// Of a ring (`HashRing`), whose owners' numbers have 16 bits.
  private static let mostMembers = 65_535.0
  /// In seconds: what a user of the cluster would still call quick, and the default grace.
  private static let quick = 1.0
  private static let grace = 60.0

  /// - Parameter viewBuildSeconds: of one view with its ring, on a pod.
  public static func all(_ load: RegistryLoad, viewBuildSeconds: Double, assumptions: ScaleAssumptions) -> [ScaleLimit]
  {
    [
      ScaleLimit(
        name: "Redis: connections", value: Double(load.connections), limit: Double(assumptions.maxclients), unit: ""),
      ScaleLimit(name: "Redis: CPU at rest", value: load.cpuAtRest, limit: 1, unit: "cores"),
      ScaleLimit(
        name: "Redis: network at rest", value: load.networkBytesPerSecondAtRest,
        limit: assumptions.networkBytesPerSecond, unit: "B/s"),
      ScaleLimit(
        name: "Redis: memory", value: load.sessionBytes + load.membershipBytes, limit: assumptions.redisMemoryBytes,
        unit: "B"),
      ScaleLimit(name: "Redis: CPU of one change", value: load.secondsPerChange, limit: quick, unit: "s"),
      ScaleLimit(
        name: "a third registers again", value: load.secondsToRegisterAThird, limit: grace, unit: "s"),
      ScaleLimit(name: "all records written again", value: load.secondsToRestoreAll, limit: grace, unit: "s"),
      ScaleLimit(name: "pod: a ring for a new view", value: viewBuildSeconds, limit: quick, unit: "s"),
      ScaleLimit(name: "ring: members", value: Double(load.pods), limit: mostMembers, unit: ""),
    ]
  }

  /// The most pods at which `name` holds, with so many sessions each: by halving, as every limit comes nearer with size.
  public static func mostPods(
    _ name: String, sessionsPerPod: Int, costs: RegistryCosts, viewBuildSecondsPerPod: Double,
    assumptions: ScaleAssumptions, upTo most: Int = 1_000_000
  ) -> Int {
    func holds(_ pods: Int) -> Bool {
      let load = RegistryLoad(
        pods: pods, sessions: pods * sessionsPerPod, costs: costs, assumptions: assumptions)
      let limits = all(load, viewBuildSeconds: viewBuildSecondsPerPod * Double(pods), assumptions: assumptions)
      return limits.first { $0.name == name }.map { $0.ratio <= 1 } ?? true
    }
    var (low, high) = (0, most)
    while low < high {
      let middle = (low + high + 1) / 2
      if holds(middle) { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
