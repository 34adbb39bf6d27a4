/// Where a Redis server is, and the bounds on talking to it.
public struct RedisConfiguration: Sendable, Hashable {
  public var host: String
  /// 1 to 65535.
  public var port: Int
  /// A user of Redis' access control lists (Redis 6 and later); nil: the default user.
  public var username: String?
  public var password: String?
  public var database: Int
  public var usesTLS: Bool
  /// PEM file of the certificate authority to trust instead of the system's; nil: the system's.
  public var tlsCertificateAuthorityFile: String?
  /// TCP only; the TLS handshake and the greeting have `commandTimeout`.
  public var connectTimeout: Duration = .seconds(2)
  /// From `send` to its reply, including the wait for the first connection.
  public var commandTimeout: Duration = .seconds(2)
  /// Commands that were given to the client and are not answered; above it: `RedisError.Code.overloaded`.
  public var maximumInFlight: Int = 16_384
  /// Waiting time after the first failure; doubles with each further one. The real wait is between half of it and
  /// all of it, at random, so that a fleet does not come back in step.
  public var initialBackoff: Duration = .milliseconds(50)
  public var maximumBackoff: Duration = .seconds(1)
  /// A subscription that is silent for so long sends PING, and is given up when that long again nothing comes.
  public var subscriptionIdleTimeout: Duration = .seconds(2)
  /// Events that a `RedisSubscriber` holds for a slow consumer.
  public var subscriptionBufferLimit: Int = 1_024

  public init(host: String, port: Int = 6379) {
    self.host = host
    self.port = port
    database = 0
    usesTLS = false
  }

  /// "redis://host:port/database", without user and password: for logs and errors.
  public var address: String {
    "\(usesTLS ? "rediss" : "redis")://\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
  }
}
