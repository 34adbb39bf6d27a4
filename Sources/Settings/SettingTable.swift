/// Every setting of every program: the one place that lists them. Flags, environment variables, the keys of the
/// configuration file, `--help` and `Docs/configuration.md` (checked by a test) follow it.
public enum Settings {
  // MARK: Everybody

  public static let config = Setting(
    "config", of: Set(ProgramName.allCases), default: nil, type: .file,
    help: "Configuration file, JSON (.json) or YAML (.yaml, .yml). Flags and environment win over it.")
  public static let logLevel = Setting(
    "log-level", of: Set(ProgramName.allCases), default: "info",
    type: .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
    help: "The least serious log messages to show. Logs go to stderr.")
  public static let logFormat = Setting(
    "log-format", of: Set(ProgramName.allCases), default: "text", type: .choice(["text", "json"]),
    help: "How log lines are written.")

  // MARK: The registry

  public static let redis = Setting(
    "redis", of: ProgramName.redisClients, default: "redis://127.0.0.1:6379", isSecret: true, type: .text,
    help:
      "The registry: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS; %XX in user and password.")
  public static let redisCertificateAuthority = Setting(
    "redis-ca-file", of: ProgramName.redisClients, default: nil, type: .file,
    help: "With rediss://: PEM file of the certificate authority to trust instead of the system's.")
  public static let redisTimeout = Setting(
    "redis-timeout", of: ProgramName.redisClients, default: "2s", type: .duration(.milliseconds(50)...(.seconds(60))),
    help: "How long one command to Redis, or one connection attempt, may take.")
  public static let cluster = Setting(
    "cluster", of: ProgramName.redisClients, default: "default", type: .text,
    help: "The cluster's name in Redis; several clusters can share one Redis.")
  public static let lease = Setting(
    "lease", of: ProgramName.redisClients, default: "3s", type: .duration(.milliseconds(300)...(.seconds(300))),
    help: "How long a pod stays a member without renewing. The same for the whole cluster.")
  public static let renewalInterval = Setting(
    "renewal-interval", of: ProgramName.redisClients, default: "1s",
    type: .duration(.milliseconds(100)...(.seconds(100))),
    help: "How often a pod renews its lease; half of the lease or less. The same for the whole cluster.")
  public static let grace = Setting(
    "grace", of: ProgramName.redisClients, default: "60s", type: .duration(.seconds(1)...(.seconds(3_600))),
    help: "How long a pod whose lease ended may come back with its sessions. The same for the whole cluster.")
  public static let recoveryWait = Setting(
    "recovery-wait", of: ProgramName.redisClients, default: nil, type: .duration(.zero...(.seconds(172_800))),
    help:
      "How long nothing settles after Redis lost data; without it the lease and two renewals. For the whole cluster.")
  public static let tokens = Setting(
    "tokens", of: ProgramName.redisClients, default: "256", type: .integer(1...4_096),
    help: "Positions on the ring per unit of weight. The same for the whole cluster.")
  public static let shareCap = Setting(
    "share-cap", of: ProgramName.redisClients, default: nil, type: .integer(101...200),
    help:
      "The most of its fair part of the users that a pod owns, in percent; without it no cap. For the whole cluster.")

  // MARK: Servers

  public static let sessionListen = Setting(
    "listen", of: [.sessionManager], default: "0.0.0.0:7400", type: .address,
    help: "Where clients open sessions.")
  public static let peerListen = Setting(
    "peer-listen", of: [.sessionManager], default: "0.0.0.0:7401", type: .address,
    help: "Where Senders and other pods connect. Not for devices.")
  public static let sessionAdminListen = Setting(
    "admin-listen", of: [.sessionManager], default: "127.0.0.1:7402", type: .address,
    help: "Where /healthz, /readyz and /metrics are served over HTTP. Unauthenticated.")
  public static let senderListen = Setting(
    "listen", of: [.sender], default: "0.0.0.0:7410", type: .address, help: "Where backends push.")
  public static let auditInterval = Setting(
    "audit-interval", of: [.sender], default: "1000", type: .integer(0...1_000_000_000),
    help: "One in so many pushes that the owner answered completely is compared with Redis all the same; 0: none.")
  public static let senderAdminListen = Setting(
    "admin-listen", of: [.sender], default: "127.0.0.1:7412", type: .address,
    help: "Where /healthz, /readyz and /metrics are served over HTTP. Unauthenticated.")
  public static let homingRate = Setting(
    "homing-rate", of: [.sessionManager], default: "10", type: .integer(0...100_000),
    help: "Strays that a pod sends home by itself in a second, when all is quiet; 0: none.")
  public static let moveDeadline = Setting(
    "move-deadline", of: [.sessionManager], default: "10s", type: .duration(.milliseconds(100)...(.seconds(60))),
    help: "A client that has not moved within this stays where it is, and is asked again later.")
  public static let drainDeadline = Setting(
    "drain-deadline", of: [.sessionManager], default: "20s", type: .duration(.zero...(.seconds(3_600))),
    help: "After SIGTERM: how long sessions have to move before their streams are ended.")

  // MARK: The pod

  public static let podID = Setting(
    "pod-id", of: [.sessionManager], default: nil, type: .text,
    help: "This pod's name on the ring: 1 to 128 of A-Z a-z 0-9 . _ - (without it: the host's name).")
  public static let advertise = Setting(
    "advertise", of: [.sessionManager], default: nil, type: .address,
    help: "Where clients reach this pod (without it: the address that is listened on).")
  public static let peerAdvertise = Setting(
    "peer-advertise", of: [.sessionManager], default: nil, type: .address,
    help: "Where Senders and other pods reach this pod (without it: the address that is listened on).")
  public static let weight = Setting(
    "weight", of: [.sessionManager], default: "1", type: .integer(1...100),
    help: "How large a part of the ring this pod takes, relative to the others.")
  public static let zone = Setting(
    "zone", of: [.sessionManager], default: "", type: .text, help: "Availability zone, for people and clients.")
  public static let helloTimeout = Setting(
    "hello-timeout", of: [.sessionManager], default: "5s", type: .duration(.milliseconds(100)...(.seconds(300))),
    help: "How long a client may take from opening its stream to saying Hello.")
  public static let outboundLimit = Setting(
    "outbound-limit", of: [.sessionManager], default: "1048576", type: .integer(1_024...1_073_741_824),
    help: "Bytes that may wait in one session's outbound queue; beyond that --slow-policy says what is done.")
  public static let outboundTotalLimit = Setting(
    "outbound-total-limit", of: [.sessionManager], default: "268435456", type: .integer(1_048_576...1_099_511_627_776),
    help: "Bytes that may wait in all outbound queues of a pod: one session may have a sixteenth of what is left of it."
  )
  public static let slowPolicy = Setting(
    "slow-policy", of: [.sessionManager], default: "drop-newest",
    type: .choice(["drop-newest", "drop-oldest", "disconnect"]),
    help: "For a client that reads too slowly: drop the new message (\"slow\"), the oldest queued, or its stream.")
  /// Of a message's payload, whatever is configured.
  public static let largestMessage = 16_777_216
  public static let maximumMessage = Setting(
    "max-message", of: [.sessionManager, .sender], default: "262144", type: .integer(1...largestMessage),
    help: "Largest payload of a message in bytes; larger ones are refused. The same for pods and Senders.")
  public static let maximumSessions = Setting(
    "max-sessions", of: [.sessionManager], default: "0", type: .integer(0...100_000_000),
    help: "Sessions at which the pod is full and sends clients to its successors; 0: no limit.")
  public static let keepAliveInterval = Setting(
    "keepalive-interval", of: [.sessionManager, .connect], default: "30s",
    type: .duration(.milliseconds(100)...(.seconds(3_600))),
    help: "HTTP/2 PING after this long without traffic. Keep a client's shorter than the grace.")
  public static let keepAliveTimeout = Setting(
    "keepalive-timeout", of: [.sessionManager, .connect], default: "10s",
    type: .duration(.milliseconds(100)...(.seconds(300))),
    help: "A PING that is not answered for this long ends the connection.")
  public static let edgeThreads = Setting(
    "edge-threads", of: [.sessionManager], default: "0", type: .integer(0...1_024),
    help: "Threads that serve clients' connections; 0: one for each core.")
  public static let connectionsPerAddress = Setting(
    "max-connections-per-address", of: [.sessionManager], default: "0", type: .integer(0...100_000_000),
    help: "Connections that one IP address may have open; 0: no limit, as clients behind a balancer or NAT share one.")
  public static let callsPerConnection = Setting(
    "max-calls-per-connection", of: [.sessionManager], default: "1024", type: .integer(1...1_000_000),
    help: "Streams that may be open at once on one connection; a proxy may bring many clients on one.")
  public static let newConnections = Setting(
    "max-new-connections", of: [.sessionManager], default: "0", type: .integer(0...1_000_000),
    help:
      "New connections of one IP address for each second, ten times as many at once; 0: no limit, for the same reason.")
  public static let newCalls = Setting(
    "max-new-calls", of: [.sessionManager], default: "100", type: .integer(1...100_000),
    help:
      "Streams that one connection may open for each second; at once ten times as many, or --max-calls-per-connection twice."
  )
  public static let clientFrames = Setting(
    "max-client-frames", of: [.sessionManager], default: "200", type: .integer(1...100_000),
    help:
      """
      HTTP/2 frames and messages that one connection may send for each second, and one for each open call; ten times as many at \
      once; more with what it is sent.
      """
  )
  public static let clientMessage = Setting(
    "max-client-message", of: [.sessionManager], default: "65536", type: .integer(1_024...16_777_216),
    help:
      "Largest message of a client in bytes; larger ones end their call. Four times as much may be incomplete on a connection."
  )
  public static let clientHeaders = Setting(
    "max-client-headers", of: [.sessionManager], default: "16384", type: .integer(4_096...1_048_576),
    help: "Largest header list of a call in bytes, by HTTP/2's count; larger ones are refused with 431.")
  public static let patience = Setting(
    "client-patience", of: [.sessionManager], default: "10s", type: .duration(.milliseconds(100)...(.seconds(300))),
    help:
      "How long a client may take for HTTP/2's greeting, for a frame or message it began, and to read how its call ended."
  )
  public static let idleTimeout = Setting(
    "idle-timeout", of: [.sessionManager], default: "60s", type: .duration(.milliseconds(100)...(.seconds(86_400))),
    help: "A client's connection without a stream is closed when it has said nothing for this long.")

  // MARK: The Sender

  public static let strategy = Setting(
    "strategy", of: [.sender], default: "ring", type: .choice(["ring", "directory", "modulo"]),
    help: "How pods are found: the ring first, Redis on every push, or hash modulo pods (for comparison).")
  public static let noGrouping = Setting(
    "no-grouping", of: [.sender], default: "false", type: .toggle,
    help: "One RPC per session instead of one per pod (for comparison).")
  public static let maximumInFlight = Setting(
    "max-in-flight", of: [.sender], default: "10000", type: .integer(1...10_000_000),
    help: "Pushes under way at once; beyond that they fail with RESOURCE_EXHAUSTED.")
  public static let pushTimeout = Setting(
    "push-timeout", of: [.sender, .push], default: "5s", type: .duration(.milliseconds(10)...(.seconds(300))),
    help: "How long one push may take.")

  // MARK: Clients

  public static let endpoint = Setting(
    "endpoint", of: [.connect], default: "127.0.0.1:7400", type: .addresses,
    help: "Any pods of the cluster, several separated by commas; they say which one is the user's.")
  public static let connectTimeout = Setting(
    "connect-timeout", of: [.connect], default: "5s", type: .duration(.milliseconds(100)...(.seconds(300))),
    help: "How long one pod may take to welcome the session before the next is tried.")
  public static let maximumBackoff = Setting(
    "max-backoff", of: [.connect], default: "10s", type: .duration(.milliseconds(100)...(.seconds(3_600))),
    help: "Longest pause between two attempts to connect.")
  public static let sender = Setting(
    "sender", of: [.push], default: "127.0.0.1:7410", type: .address, help: "The Sender to push through.")

  /// In the order of the documentation.
  public static let all: [SettingDescription] = [
    config.description, logLevel.description, logFormat.description,
    redis.description, redisCertificateAuthority.description, redisTimeout.description, cluster.description,
    lease.description, renewalInterval.description, grace.description, recoveryWait.description, tokens.description,
    shareCap.description,
    podID.description, sessionListen.description, peerListen.description, sessionAdminListen.description,
    advertise.description, peerAdvertise.description, weight.description, zone.description,
    homingRate.description, moveDeadline.description, drainDeadline.description, helloTimeout.description,
    outboundLimit.description, outboundTotalLimit.description, slowPolicy.description, maximumMessage.description,
    maximumSessions.description, keepAliveInterval.description,
    keepAliveTimeout.description, edgeThreads.description, connectionsPerAddress.description,
    newConnections.description, callsPerConnection.description, newCalls.description, clientFrames.description,
    clientMessage.description, clientHeaders.description, patience.description, idleTimeout.description,
    senderListen.description, senderAdminListen.description, strategy.description, noGrouping.description,
    maximumInFlight.description, pushTimeout.description, auditInterval.description,
    endpoint.description, connectTimeout.description, maximumBackoff.description, sender.description,
  ]
}
