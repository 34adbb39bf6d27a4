public import Logging
public import RedisDirectory
public import SessionEdge

/// STUB. What a pod is told by its operator; defaults are the documented ones.
public struct SessionManagerConfiguration: Sendable, Hashable {
  public var podID: String
  /// What clients and peers are told: "HOST:PORT". Empty: the addresses that are really listened on.
  public var advertise: String = ""
  public var peerAdvertise: String = ""
  public var peerListenHost: String
  public var peerListenPort: Int
  public var weight: Int = 1
  public var zone: String = ""
  public var helloTimeout: Duration = .seconds(5)
  public var outboundLimitBytes: Int = 1024 * 1024
  public var maximumMessageBytes: Int = 256 * 1024
  /// 0: no limit of its own.
  public var maximumSessions: Int = 0
  public var settings: DirectorySettings = .init()
  public init(podID: String, peerListenHost: String, peerListenPort: Int) {
    self.podID = podID
    self.peerListenHost = peerListenHost
    self.peerListenPort = peerListenPort
  }
}

/// STUB. A pod. `run` listens, joins, serves; when its task is cancelled or `drain` was called it leaves in good order.
public final class SessionManager: Sendable {
  public init(
    configuration: SessionManagerConfiguration, edge: any SessionEdge, directory: RedisDirectory,
    follower: ViewFollower, logger: Logger
  ) {}
  /// Returns after a good leave; throws when it could not start (port in use, pod id malformed, ...).
  public func run() async throws { fatalError("stub") }
  /// SIGTERM: unready, tell clients to reconnect, end streams, leave. `run` returns when done, within `deadline`.
  public func drain(deadline: Duration) { fatalError("stub") }
  /// Nil when ready to take sessions; otherwise why not, for `/readyz`.
  public var notReadyReason: String? { fatalError("stub") }
}
