/// What happens in a pod, for metrics: the logic calls this and knows no metric's name.
public import Sessions

/// What became of a move.
public enum MoveOutcome: String, Sendable, Hashable, CaseIterable {
  /// Welcomed on the other pod; the old stream is released.
  case moved
  /// Not in time: the session is where it was.
  case failed
  /// The session ended meanwhile.
  case ended
}

/// How a stream closed.
public enum StreamClosing: String, Sendable, Hashable, CaseIterable {
  case ended
  case cancelledByClient = "cancelled-by-client"
  case connectionLost = "connection-lost"
  case edgeStopped = "edge-stopped"
}

/// What became of a number of messages, for each of their sessions.
public struct DeliveryTally: Hashable, Sendable {
  public private(set) var delivered = 0
  /// Of the encoded frames that were delivered.
  public private(set) var deliveredBytes = 0
  public private(set) var others: [Outcome: Int] = [:]

  public init() {}

  mutating func add(_ outcome: Outcome, bytes: Int) {
    guard outcome == .delivered else { return others[outcome, default: 0] += 1 }
    delivered += 1
    deliveredBytes += bytes
  }
}

/// Called from any thread, and must not block.
public protocol SessionManagerObserver: Sendable {
  /// - Parameter movesUnderWay: sessions that were asked to go to another pod, and are neither there yet nor given up.
  func sessionsChanged(_ counts: SessionCounts, streams: Int, movesUnderWay: Int)
  func sessionWelcomed(registration: Duration)
  /// By the pod; `taken-over` and the like.
  func streamEnded(_ reason: EndReason)
  /// By the client or its connection.
  func streamClosed(_ how: StreamClosing)
  func delivered(_ tally: DeliveryTally)
  /// Messages for clients that read too slowly, by what was done about them.
  func messagesDropped(_ count: Int, _ policy: SlowPolicy)
  func acknowledged(_ messages: Int)
  /// A session was asked to go to another pod, and this is what became of it.
  func moved(_ outcome: MoveOutcome, lasted: Duration)
  /// - Parameters:
  ///   - strays: live sessions here that others own.
  ///   - isSettled: every member acknowledged the newest view that this pod knows.
  func renewed(lease: Duration, strays: Int, isSettled: Bool)
  func renewalFailed(leaseLeft: Duration)
  func resumed()
  func restored(_ records: Int, superseded: Int)
  /// Reports and retractions that owners have taken.
  func straysReported(_ entries: Int)
  /// Another pod's address refuses connections.
  func podProvenGone()
  func swept(_ records: Int)
  func cleanUpDropped(_ count: Int)
}
