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
