public import RedisDirectory
public import Sessions

/// What a pod is told by its operator; the defaults are the documented ones.
public struct SessionManagerConfiguration: Sendable, Hashable {
  /// 1 to 128 bytes of `A-Z a-z 0-9 . _ -`; unique among the pods that run at one time.
  public var podID: String
  /// What clients are told: "HOST:PORT". Empty: the address that is really listened on.
  public var advertise: String = ""
  /// What Senders and other pods are told: "HOST:PORT". Empty: the address that is really listened on.
  public var peerAdvertise: String = ""
  /// An IP address of this machine, or a name of it.
  public var peerListenHost: String
  /// 0: any free port.
  public var peerListenPort: Int
  /// 1 to 100.
  public var weight: Int = 1
  public var zone: String = ""
  /// A stream without Hello is ended after this.
  public var helloTimeout: Duration = .seconds(5)
  /// What may be queued for one session.
  public var outboundLimitBytes: Int = 1024 * 1024
  public var outboundTotalLimitBytes: Int = 256 * 1024 * 1024
  /// What becomes of a message for a session that has as much queued.
  public var slowPolicy: SlowPolicy = .dropNewest
  /// Of a message's payload; a larger one is refused.
  public var maximumMessageBytes: Int = 256 * 1024
  /// Open streams; 0: no limit of its own.
  public var maximumSessions: Int = 0
  /// Strays that the pod sends home by itself in a second; 0: none.
  public var homingRate: Double = 10
  /// How long a client may take to move before its session counts as staying.
  public var moveDeadline: Duration = .seconds(10)
  /// How long `run` takes to leave in good order when its task is cancelled.
  public var drainDeadline: Duration = .seconds(10)
  public var settings: DirectorySettings = .init()

  public init(podID: String, peerListenHost: String, peerListenPort: Int) {
    self.podID = podID
    self.peerListenHost = peerListenHost
    self.peerListenPort = peerListenPort
  }
}

/// The pod could not start; the message says what to do.
public struct SessionManagerError: Error, Sendable, CustomStringConvertible {
  public let message: String
  public init(message: String) { self.message = message }
  public var description: String { message }
}
