/// What a benchmark run found, as it is printed with `--output json` and read by `bench report` and `bench compare`.
///
/// The figures at the top level are medians over the repetitions; `repetitions` has each, and `noise` how far they spread.
/// A figure that a workload does not have is left out.
public struct BenchResult: Codable, Sendable {
  public var workload: String
  /// What was measured: "pushring", or a peer.
  public var subject: String
  public var version: String
  /// ISO 8601, UTC.
  public var startedAt: String
  /// What makes it again.
  public var command: String
  public var machine: Machine
  public var settings: [String: String]
  public var seed: UInt64
  public var strategy: String?

  /// User-space memory of all pods for each session: what they grew by.
  public var userBytesPerSession: Double?
  /// The same after messages to all of them.
  public var userBytesPerSessionAfterBurst: Double?
  /// Kernel slab memory for each session, both ends of its connection on this machine counted and halved.
  public var kernelBytesPerSession: Double?
  public var connectsPerSecond: Double?
  /// By CPU time of the pods.
  public var connectsPerCPUSecond: Double?
  /// From the first connect until all are welcomed.
  public var stormSeconds: Double?
  /// Connections that the kernel turned away because the listener's queue was full.
  public var listenDrops: Int?
  /// CPU time of the pods for each session and second while nothing happens, in microseconds.
  public var idleCPUMicrosecondsPerSession: Double?
  public var pushesPerSecond: Double?
  public var pushesPerPodCPUSecond: Double?
  public var pushesPerSenderCPUSecond: Double?
  public var redisCPUMicrosecondsPerPush: Double?
  /// What a hypervisor took of the machine's CPU time while connects or pushes were measured.
  public var stolenShare: Double?
  public var rpcsPerPush: Double?
  public var registryReadsPerPush: Double?
  /// By Redis' own count of HGETALL, to hold the Sender's against.
  public var redisReadsPerPush: Double?
  /// Pushes that said that all sessions were found.
  public var completeShare: Double?
  public var latencyMs: Percentiles?
  public var connectMs: Percentiles?
  /// Messages that were reported as delivered and did not arrive.
  public var lost: Int?
  /// Messages that arrived twice.
  public var duplicated: Int?
  /// Sessions that a push should have reached and did not, whatever it reported: what a strategy does not find.
  public var missed: Int?
  /// Streams that ended without being asked to.
  public var lostStreams: Int?
  /// Sessions that changed pods while their old stream lived.
  public var moves: Int?
  /// Asked to move, and stayed.
  public var failedMoves: Int?
  /// Of the moves, by the ring: what changed owners, as a share of all sessions.
  public var idealMoveShare: Double?
  /// From the first request to move until all that could be moved were.
  public var moveSeconds: Double?
  /// From a session's request to move until its Welcome elsewhere.
  public var moveMs: Percentiles?
  /// From the fault until each lost session was live again, and until everybody was.
  public var recoverySeconds: Double?
  /// Sessions that are not where the ring wants them at the end, as a share of all.
  public var strayShare: Double?
  /// Limits, what differs from other subjects, what a reader has to know.
  public var notes: [String] = []

  public var processes: [ProcessUse] = []
  public var repetitions: [[String: Double]] = []
  public var noise: [String: Spread] = [:]
  /// HDR histograms: pairs of a value in microseconds and how often it was recorded.
  public var histograms: [String: [[UInt64]]] = [:]
  public var timeline: [TimelinePoint] = []
  public var marks: [TimelineMark] = []

  public init(
    workload: String, subject: String = "pushring", version: String, startedAt: String, command: String,
    machine: Machine, settings: [String: String], seed: UInt64
  ) {
    self.workload = workload
    self.subject = subject
    self.version = version
    self.startedAt = startedAt
    self.command = command
    self.machine = machine
    self.settings = settings
    self.seed = seed
  }
}

public struct Machine: Codable, Hashable, Sendable {
  public var cores: Int
  public var processor: String
  public var kernel: String
  public var memoryBytes: UInt64
  public init(cores: Int, processor: String, kernel: String, memoryBytes: UInt64) {
    self.cores = cores
    self.processor = processor
    self.kernel = kernel
    self.memoryBytes = memoryBytes
  }
}

/// In milliseconds.
public struct Percentiles: Codable, Hashable, Sendable {
  public var p50: Double
  public var p90: Double
  public var p99: Double
  public var p999: Double
  public var max: Double
  public init(p50: Double, p90: Double, p99: Double, p999: Double, max: Double) {
    (self.p50, self.p90, self.p99, self.p999, self.max) = (p50, p90, p99, p999, max)
  }
}

/// One process over the measured time.
public struct ProcessUse: Codable, Hashable, Sendable {
  public var name: String
  public var cpuSeconds: Double
  public var userBytes: UInt64
  public init(name: String, cpuSeconds: Double, userBytes: UInt64) {
    self.name = name
    self.cpuSeconds = cpuSeconds
    self.userBytes = userBytes
  }
}

public struct TimelinePoint: Codable, Hashable, Sendable {
  /// Since the measurement began.
  public var second: Double
  /// Per second.
  public var messages: Double
  public var welcomes: Double
  public var lostStreams: Double
  /// Largest in the interval.
  public var latencyMs: Double
  public init(second: Double, messages: Double, welcomes: Double, lostStreams: Double, latencyMs: Double) {
    self.second = second
    self.messages = messages
    self.welcomes = welcomes
    self.lostStreams = lostStreams
    self.latencyMs = latencyMs
  }
}

public struct TimelineMark: Codable, Hashable, Sendable {
  public var second: Double
  public var text: String
  public init(second: Double, text: String) {
    self.second = second
    self.text = text
  }
}
