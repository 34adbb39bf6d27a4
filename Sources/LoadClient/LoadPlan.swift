/// Sessions to open: who, where, how fast. What a load process is told.
public struct LoadPlan: Codable, Hashable, Sendable {
  /// "HOST:PORT" with an IPv4 address.
  public var endpoints: [String]
  /// Sessions are those of users `firstUser`, `firstUser + 1`, …, each with `sessionsPerUser`.
  public var firstUser: Int
  public var sessionsPerUser: Int
  /// For each session in order: the index of its endpoint.
  public var places: [Int]
  /// Connects per second; 0: all at once.
  public var rate: Double

  public init(endpoints: [String], firstUser: Int, sessionsPerUser: Int, places: [Int], rate: Double) {
    self.endpoints = endpoints
    self.firstUser = firstUser
    self.sessionsPerUser = sessionsPerUser
    self.places = places
    self.rate = rate
  }

  public static func userName(_ user: Int) -> String { "user-\(user)" }
  public static func sessionName(_ session: Int) -> String { "s\(session)" }
}

/// What a load process has seen so far.
public struct LoadReport: Codable, Sendable {
  /// Of the sessions planned: welcomed, on the way there, and neither.
  public var live = 0
  public var connecting = 0
  public var waiting = 0
  /// Since the start.
  public var welcomes = 0
  /// Streams that ended without having been asked to.
  public var lostStreams = 0
  /// Connects that came to nothing, and were tried again.
  public var failedConnects = 0
  /// Sessions that a pod asked to go, and that were welcomed elsewhere while their old stream lived.
  public var moves = 0
  /// Those that were asked and stayed.
  public var failedMoves = 0
  public var messages = 0
  /// Messages that came to one session twice, but for those on both streams of a session that moves.
  public var duplicates = 0
  /// Messages that are none of a benchmark.
  public var strangers = 0
  /// Why connects failed or streams ended, by how often.
  public var reasons: [String: Int] = [:]

  public init() {}
}

/// What came of measured pushes: for each, which of its user's sessions have the message.
public struct LoadReceipts: Codable, Sendable {
  /// By push: bit `n` for session `n` of the user.
  public var sessions: [UInt64] = []
  /// From due to received, in microseconds, by `LatencyBuckets`.
  public var latencies = LatencyBuckets()
  /// From the connect to the Welcome, in microseconds.
  public var connects = LatencyBuckets()
  /// From the request to move to the Welcome elsewhere, in microseconds.
  public var moves = LatencyBuckets()
  /// Per tenth of a second since the measurement began.
  public var timeline: [LoadInterval] = []

  public init() {}
}

public struct LoadInterval: Codable, Hashable, Sendable {
  public var messages = 0
  public var welcomes = 0
  public var lostStreams = 0
  /// Largest, in microseconds.
  public var latency: UInt64 = 0

  public init() {}
}
