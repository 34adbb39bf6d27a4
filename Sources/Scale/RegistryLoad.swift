/// What is assumed of the cluster and of the machine that Redis runs on; each can be set.
public struct ScaleAssumptions: Codable, Hashable, Sendable {
  /// Senders follow the view as pods do.
  public var sendersPerPod = 0.1
  public var fewestSenders = 2
  public var renewalIntervalSeconds = 1.0
  /// Sessions that connect per second, over all pods.
  public var connectRate = 5_000.0
  public var redisMemoryBytes = 64.0 * 1_073_741_824
  public var networkBytesPerSecond = 1.25e9
  /// Redis' default.
  public var maxclients = 10_000

  public init() {}
}

/// One Redis' work for a cluster: arithmetic on `RegistryCosts`.
public struct RegistryLoad: Codable, Hashable, Sendable {
  public let pods: Int
  public let sessions: Int
  public let senders: Int
  public let connections: Int
  public let sessionBytes: Double
  public let membershipBytes: Double
  /// Commands per second while nothing happens, by kind.
  public let commandsAtRest: [String: Double]
  /// Of one core, by kind, and together.
  public let cpuAtRestByPart: [String: Double]
  public let cpuAtRest: Double
  public let networkBytesPerSecondAtRest: Double
  public let commandsPerSecondConnecting: Double
  public let cpuConnecting: Double
  /// What is left of the core after the rest; 0 when nothing is.
  public let mostRegistrationsPerSecond: Double
  /// CPU of Redis for a change to be published, announced, acknowledged by all and announced as settled.
  public let secondsPerChange: Double
  /// An announcement to one follower: its first line, and one for each member that changed; and that the view settled.
  public let announcementBytes: Double
  public let memberLineBytes: Double
  /// A third of the sessions register again.
  public let secondsToRegisterAThird: Double
  /// All sessions are written again after a loss of data.
  public let secondsToRestoreAll: Double

  /// Whole windows are read at every tenth poll, `ViewFollower`; connections: commands, views, hints of takeovers.
  private static let pollsPerWindowRead = 10.0
  private static let connectionsPerPod = 3
  private static let connectionsPerSender = 2
  /// Pods sweep every one to two renewal intervals.
  private static let intervalsPerSweep = 1.5

  public init(pods: Int, sessions: Int, costs: RegistryCosts, assumptions: ScaleAssumptions) {
    let size = costs.membership(of: pods)
    let senders = max(assumptions.fewestSenders, Int(Double(pods) * assumptions.sendersPerPod + 0.5))
    let followers = Double(pods + senders)
    let beats = Double(pods) / assumptions.renewalIntervalSeconds
    let polls = followers / assumptions.renewalIntervalSeconds
    let windows = polls / Self.pollsPerWindowRead
    let sweeps = beats / Self.intervalsPerSweep
    self.pods = pods
    self.sessions = sessions
    self.senders = senders
    connections = pods * Self.connectionsPerPod + senders * Self.connectionsPerSender
    sessionBytes = Double(sessions) * costs.bytesPerSession
    membershipBytes = size.membershipBytes
    commandsAtRest = [
      "renewals": beats, "takeover reads": beats, "stamp polls": polls - windows, "window reads": windows,
      "sweep polls": sweeps * costs.sweepPoll.commands,
    ]
    cpuAtRestByPart = [
      "renewals": beats * size.renewal.cpuMicroseconds / 1_000_000,
      "stamp polls": (polls - windows) * costs.stampsPoll.cpuMicroseconds / 1_000_000,
      "window reads": windows * size.windowRead.cpuMicroseconds / 1_000_000,
      "sweep polls": sweeps * costs.sweepPoll.cpuMicroseconds / 1_000_000,
    ]
    let atRest = cpuAtRestByPart.values.reduce(0, +)
    cpuAtRest = atRest
    networkBytesPerSecondAtRest = windows * 2 * size.viewBytes
    commandsPerSecondConnecting =
      commandsAtRest.values.reduce(0, +) + assumptions.connectRate * costs.registration.commands
    cpuConnecting = atRest + assumptions.connectRate * costs.registration.cpuMicroseconds / 1_000_000
    let free = max(0, 1 - atRest) * 1_000_000
    mostRegistrationsPerSecond = free / costs.registration.cpuMicroseconds
    secondsPerChange =
      (size.join.cpuMicroseconds + Double(pods) * size.acknowledgement.cpuMicroseconds
        + 2 * followers * costs.announcementMicrosecondsPerFollower) / 1_000_000
    memberLineBytes = size.viewBytes / Double(pods)
    announcementBytes = max(0, size.announcementBytes - memberLineBytes)
    secondsToRegisterAThird = Self.seconds(Double(sessions) / 3 * costs.registration.cpuMicroseconds, free)
    secondsToRestoreAll = Self.seconds(Double(sessions) * costs.restoration.cpuMicroseconds, free)
  }

  /// To all pods and Senders together.
  public func announcedBytes(lines: Int) -> Double {
    Double(pods + senders) * (announcementBytes + Double(lines) * memberLineBytes + Self.settledBytes)
  }

  /// "1 settled VERSION DIGEST"
  private static let settledBytes = 35.0

  /// A large number instead of infinity, which JSON does not have.
  public static let never = 1e9

  private static func seconds(_ microseconds: Double, _ free: Double) -> Double {
    free > 0 ? min(never, microseconds / free) : never
  }
}
