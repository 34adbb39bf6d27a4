public import Placement
public import Sessions

/// How a Sender finds the pods of a user.
public enum RoutingStrategy: String, Hashable, Sendable, CaseIterable {
  /// The ring's owner first; the registry when the owner can't vouch for all sessions.
  case ring
  /// The registry on every push.
  case directory
  /// Hash modulo the number of active members, no registry: for comparison. Misses sessions that are elsewhere.
  case modulo
}

/// Which of a user's sessions a push is for.
public enum RouteTarget: Hashable, Sendable {
  case allSessions
  case session(SessionID)
}

/// What has to be known to route one push.
public struct RouteRequest: Hashable, Sendable {
  public var strategy: RoutingStrategy
  /// One call per pod; otherwise one call per session that the registry names: for comparison.
  public var groupsByPod: Bool
  public var target: RouteTarget
  /// `keyHash` of the user id's UTF-8 bytes.
  public var userHash: UInt64
  public var window: Window
  public var limits: RouteLimits
  /// Nil: a claim of this push is not compared with the registry.
  public var audits: AuditRequest?

  public init(
    strategy: RoutingStrategy = .ring, groupsByPod: Bool = true, target: RouteTarget = .allSessions,
    userHash: UInt64, window: Window, limits: RouteLimits = .init()
  ) {
    self.strategy = strategy
    self.groupsByPod = groupsByPod
    self.target = target
    self.userHash = userHash
    self.window = window
    self.limits = limits
  }
}

/// What one push may cost at the most.
public struct RouteLimits: Hashable, Sendable {
  /// How often the records are read again because a session had moved, or its pod had gone, since the read before.
  public var rereads = 3
  /// Calls in flight at the same time when all pods are asked.
  public var scatterConcurrency = 16

  public init() {}
}

/// Compare the owner's claim with the registry.
public struct AuditRequest: Hashable, Sendable {
  /// Epochs are the microseconds of their connect: a session that connected before this was welcomed long before the
  /// push, so that a claim without it was wrong. A later one may have been welcomed while the push was under way.
  public var epochsBefore: Epoch

  public init(epochsBefore: Epoch) { self.epochsBefore = epochsBefore }
}
