public import Sessions

/// Who vouched for the set of sessions.
public enum Route: String, Hashable, Sendable, CaseIterable {
  /// The user's owner said that it was complete.
  case ring
  /// The registry's records.
  case directory
  /// Nobody: all pods of the last view were asked.
  case scatter
  /// Nobody: the pod that hash modulo names was asked.
  case modulo
}

public enum Completeness: String, Hashable, Sendable, CaseIterable {
  /// Every session that the push is for was found, and has an outcome of its own.
  case complete
  /// There may be sessions that were not found, or a pod that should have been asked did not answer.
  case unknown
}

/// What became of one push.
public struct RouteResult: Hashable, Sendable {
  public let route: Route
  public let completeness: Completeness
  /// Calls made, those that failed included.
  public let deliverRPCs: Int
  /// Reads of the user's records.
  public let registryReads: Int
  /// Each session once, ordered by session id.
  public let results: [RoutedSession]
  /// Why completeness is unknown; empty when it is complete.
  public let reason: String
  public let audit: RouteAudit

  public init(
    route: Route, completeness: Completeness, deliverRPCs: Int, registryReads: Int, results: [RoutedSession],
    reason: String, audit: RouteAudit = .none
  ) {
    self.route = route
    self.completeness = completeness
    self.deliverRPCs = deliverRPCs
    self.registryReads = registryReads
    self.results = results
    self.reason = reason
    self.audit = audit
  }
}

public struct RoutedSession: Hashable, Sendable {
  public let session: SessionID
  /// Empty when no pod is known to hold it.
  public let podID: String
  public let outcome: Outcome
  /// For people; empty when there is nothing to add.
  public let detail: String
  /// What the pod did because the session's queue was full.
  public let slowPolicy: SlowPolicy?

  public init(
    session: SessionID, podID: String, outcome: Outcome, detail: String = "", slowPolicy: SlowPolicy? = nil
  ) {
    self.session = session
    self.podID = podID
    self.outcome = outcome
    self.detail = detail
    self.slowPolicy = slowPolicy
  }
}
