/// What became of one push.
public struct PushResult: Sendable, Hashable {
  /// Who vouched for the set of sessions.
  public enum Route: String, Sendable, Hashable, CaseIterable {
    /// The user's owner on the ring said that it was complete.
    case ring
    /// The registry's records.
    case directory
    /// Nobody: the registry did not answer, and all pods of the last view were asked.
    case scatter
    /// Nobody: the pod that hash modulo names was asked.
    case modulo
  }

  public enum Completeness: String, Sendable, Hashable, CaseIterable {
    /// Every session that the push is for was found, and has an outcome of its own.
    case complete
    /// There may be sessions that were not found, or a pod that should have been asked did not answer.
    case unknown
  }

  public var user: String
  public var messageID: String
  public var route: Route
  public var completeness: Completeness
  /// Why completeness is unknown, for people; empty when it is complete.
  public var reason: String
  /// Deliver calls to pods, those that failed included.
  public var deliverRPCs: Int
  /// Reads of the user's records.
  public var registryReads: Int
  /// Each session found, once.
  public var sessions: [SessionOutcome]
  /// The version of the view that the push went by.
  public var viewVersion: UInt64
  public var viewDigest: UInt64
  /// From the moment the push was accepted.
  public var duration: Duration

  public init(
    user: String, messageID: String, route: Route, completeness: Completeness, reason: String, deliverRPCs: Int,
    registryReads: Int, sessions: [SessionOutcome], viewVersion: UInt64, viewDigest: UInt64, duration: Duration
  ) {
    self.user = user
    self.messageID = messageID
    self.route = route
    self.completeness = completeness
    self.reason = reason
    self.deliverRPCs = deliverRPCs
    self.registryReads = registryReads
    self.sessions = sessions
    self.viewVersion = viewVersion
    self.viewDigest = viewDigest
    self.duration = duration
  }
}

/// What became of a push for one session.
public struct SessionOutcome: Sendable, Hashable {
  public enum Outcome: String, Sendable, Hashable, CaseIterable {
    /// Queued in the session's stream; whether the device read it only its acknowledgement can tell.
    case delivered
    /// The session's outbound queue is full; not queued.
    case slow
    /// No such session any more.
    case gone
    /// The pod, or the Sender for want of room, would not take it.
    case refused
    /// The pod could not be reached or did not answer in time; the message may or may not have arrived.
    case unreachable
  }

  /// What a pod does about a queue that is full.
  public enum SlowPolicy: String, Sendable, Hashable, CaseIterable {
    /// This message was dropped, with the outcome `slow`; the client is told how many it lost.
    case dropNewest = "drop-newest"
    /// This message was queued, and earlier ones that were answered `delivered` made room for it; the client is told how
    /// many it lost.
    case dropOldest = "drop-oldest"
    /// The stream was ended, and what was queued for it dropped, with the outcome `slow`; the client comes back.
    case disconnect
  }

  public var session: String
  /// Empty when no pod is known to hold the session.
  public var pod: String
  public var outcome: Outcome
  /// For people: why, and what to do. Empty when there is nothing to add.
  public var detail: String
  /// What was done because the session's queue was full; nil when it had room.
  public var slowPolicy: SlowPolicy?

  public init(session: String, pod: String, outcome: Outcome, detail: String = "", slowPolicy: SlowPolicy? = nil) {
    self.session = session
    self.pod = pod
    self.outcome = outcome
    self.detail = detail
    self.slowPolicy = slowPolicy
  }
}
