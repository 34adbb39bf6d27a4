internal import ArgumentParser
internal import Foundation
internal import EpollSessionEdge
internal import Logging
internal import Metrics
internal import Observability
internal import Placement
internal import RedisClient
internal import RedisDirectory
internal import ServiceLifecycle
internal import SessionEdge
internal import SessionManager
internal import Sessions
internal import Settings
internal import Synchronization

struct SessionManagerCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "session-manager",
    abstract: "Run a pod: it holds the sessions of devices and delivers what Senders bring.",
    discussion: """
      Example, one pod on this machine:
        pushring session-manager --pod-id a --listen 127.0.0.1:7400 --redis redis://127.0.0.1:6379

      Up when http://ADMIN-LISTEN/readyz says 200. SIGTERM: moves its sessions to other pods, leaves, and exits 0; a
      second SIGTERM ends their streams at once, with where to go.
      """)

  @Option(Settings.podID) var podID: String?
  @Option(Settings.sessionListen) var listen: String?
  @Option(Settings.peerListen) var peerListen: String?
  @Option(Settings.sessionAdminListen) var adminListen: String?
  @Option(Settings.advertise) var advertise: String?
  @Option(Settings.peerAdvertise) var peerAdvertise: String?
  @Option(Settings.weight) var weight: String?
  @Option(Settings.zone) var zone: String?
  @Option(Settings.homingRate) var homingRate: String?
  @Option(Settings.moveDeadline) var moveDeadline: String?
  @Option(Settings.drainDeadline) var drainDeadline: String?
  @Option(Settings.helloTimeout) var helloTimeout: String?
  @Option(Settings.outboundLimit) var outboundLimit: String?
  @Option(Settings.outboundTotalLimit) var outboundTotalLimit: String?
  @Option(Settings.slowPolicy) var slowPolicy: String?
  @Option(Settings.maximumMessage) var maximumMessage: String?
  @Option(Settings.maximumSessions) var maximumSessions: String?
  @Option(Settings.keepAliveInterval) var keepAliveInterval: String?
  @Option(Settings.keepAliveTimeout) var keepAliveTimeout: String?
  @Option(Settings.edgeThreads) var edgeThreads: String?
  @Option(Settings.connectionsPerAddress) var connectionsPerAddress: String?
  @Option(Settings.callsPerConnection) var callsPerConnection: String?
  @Option(Settings.newConnections) var newConnections: String?
  @Option(Settings.newCalls) var newCalls: String?
  @Option(Settings.clientFrames) var clientFrames: String?
  @Option(Settings.clientMessage) var clientMessage: String?
  @Option(Settings.clientHeaders) var clientHeaders: String?
  @Option(Settings.patience) var patience: String?
  @Option(Settings.idleTimeout) var idleTimeout: String?
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] {
    [
      SettingFlag(Settings.podID, podID), SettingFlag(Settings.sessionListen, listen),
      SettingFlag(Settings.peerListen, peerListen), SettingFlag(Settings.sessionAdminListen, adminListen),
      SettingFlag(Settings.advertise, advertise), SettingFlag(Settings.peerAdvertise, peerAdvertise),
      SettingFlag(Settings.weight, weight), SettingFlag(Settings.zone, zone),
      SettingFlag(Settings.homingRate, homingRate), SettingFlag(Settings.moveDeadline, moveDeadline),
      SettingFlag(Settings.drainDeadline, drainDeadline), SettingFlag(Settings.helloTimeout, helloTimeout),
      SettingFlag(Settings.outboundLimit, outboundLimit),
      SettingFlag(Settings.outboundTotalLimit, outboundTotalLimit), SettingFlag(Settings.slowPolicy, slowPolicy),
      SettingFlag(Settings.maximumMessage, maximumMessage), SettingFlag(Settings.maximumSessions, maximumSessions),
      SettingFlag(Settings.keepAliveInterval, keepAliveInterval),
      SettingFlag(Settings.keepAliveTimeout, keepAliveTimeout), SettingFlag(Settings.edgeThreads, edgeThreads),
      SettingFlag(Settings.connectionsPerAddress, connectionsPerAddress),
      SettingFlag(Settings.callsPerConnection, callsPerConnection),
      SettingFlag(Settings.newConnections, newConnections), SettingFlag(Settings.newCalls, newCalls),
      SettingFlag(Settings.clientFrames, clientFrames), SettingFlag(Settings.clientMessage, clientMessage),
      SettingFlag(Settings.clientHeaders, clientHeaders), SettingFlag(Settings.patience, patience),
      SettingFlag(Settings.idleTimeout, idleTimeout),
    ] + registry.flags + common.flags
  }

  func run() async throws {
    let settings = try settings()
    let configuration = try SessionManagerConfiguration(settings)
    let edge = try usage { try EdgeConfiguration(settings) }
    let (admin, deadline) = try usage {
      (try settings.required(Settings.sessionAdminListen), try settings.required(Settings.drainDeadline))
    }
    let logger = try Logger("session-manager", settings)
    let metrics = MetricRegistry()
    MetricsSystem.bootstrap(metrics)
    let descriptors = DescriptorLimit.raise(forSessions: configuration.maximumSessions, logger)
    let access = try RegistryAccess(settings, logger: logger)
    let follower = ViewFollower(directory: access.directory, configuration: access.configuration, logger: logger)
    let pod = PodService(
      pod: SessionManager(
        configuration: configuration, edge: EpollSessionEdge(configuration: edge, logger: logger),
        directory: access.directory, follower: follower, logger: logger),
      access: access, deadline: deadline)
    let administration = AdministrationServer(
      host: admin.host, port: admin.port, registry: metrics, notReadyReason: { pod.notReadyReason }, logger: logger)
    logger.info(
      "Starting",
      metadata: [
        "pod.id": "\(configuration.podID)", "listen": "\(edge.host):\(edge.port)",
        "peer.listen": "\(configuration.peerListenHost):\(configuration.peerListenPort)",
        "redis.address": "\(access.configuration.address)", "cluster": "\(access.directory.cluster)",
        "open.files.limit": "\(descriptors)",
      ])
    try await serve(
      [Background { await access.client.run() }, Background { await follower.run() }, administration, pod],
      limit: deadline + .seconds(10), logger: logger, hurry: { pod.hurry() })
  }
}

/// The pod, once Redis has answered; drained when the process is asked to stop.
private final class PodService: Service {
  private let pod: SessionManager
  private let access: RegistryAccess
  private let deadline: Duration
  private let hasRedis = Mutex(false)

  init(pod: SessionManager, access: RegistryAccess, deadline: Duration) {
    self.pod = pod
    self.access = access
    self.deadline = deadline
  }

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown { try await self.access.awaitConnection() }
    } catch is CancellationError {
      return
    }
    hasRedis.withLock { $0 = true }
    try await withGracefulShutdownHandler {
      try await pod.run()
    } onGracefulShutdown: {
      self.pod.drain(deadline: self.deadline)
    }
  }

  func hurry() { pod.hurry() }

  var notReadyReason: String? {
    guard hasRedis.withLock({ $0 }) else { return "Redis at \(access.configuration.address) has not answered yet" }
    return pod.notReadyReason
  }
}

extension SessionManagerConfiguration {
  fileprivate init(_ settings: SettingValues) throws {
    self = try usage {
      let peer = try settings.required(Settings.peerListen)
      var configuration = SessionManagerConfiguration(
        podID: try settings.optional(Settings.podID) ?? ProcessInfo.processInfo.hostName, peerListenHost: peer.host,
        peerListenPort: peer.port)
      configuration.advertise = try settings.optional(Settings.advertise)?.description ?? ""
      configuration.peerAdvertise = try settings.optional(Settings.peerAdvertise)?.description ?? ""
      configuration.weight = try settings.required(Settings.weight)
      configuration.zone = try settings.required(Settings.zone)
      configuration.homingRate = Double(try settings.required(Settings.homingRate))
      configuration.moveDeadline = try settings.required(Settings.moveDeadline)
      configuration.helloTimeout = try settings.required(Settings.helloTimeout)
      configuration.outboundLimitBytes = try settings.required(Settings.outboundLimit)
      configuration.outboundTotalLimitBytes = try settings.required(Settings.outboundTotalLimit)
      configuration.slowPolicy = SlowPolicy(rawValue: try settings.required(Settings.slowPolicy)) ?? .dropNewest
      configuration.maximumMessageBytes = try settings.required(Settings.maximumMessage)
      configuration.maximumSessions = try settings.required(Settings.maximumSessions)
      return configuration
    }
    do {
      try MemberDescription.check(podID: podID)
    } catch {
      throw ValidationError(settings.error(about: Settings.podID, error.message).message)
    }
    do {
      try MemberDescription.check(zone: zone)
    } catch {
      throw ValidationError(settings.error(about: Settings.zone, error.message).message)
    }
    self.settings = try DirectorySettings(settings)
  }
}

extension EdgeConfiguration {
  fileprivate init(_ settings: SettingValues) throws {
    let listen = try settings.required(Settings.sessionListen)
    self.init(host: listen.host, port: listen.port)
    keepAliveInterval = try settings.required(Settings.keepAliveInterval)
    keepAliveTimeout = try settings.required(Settings.keepAliveTimeout)
    threads = try settings.required(Settings.edgeThreads)
    maximumConnectionsPerAddress = try settings.required(Settings.connectionsPerAddress)
    maximumCallsPerConnection = try settings.required(Settings.callsPerConnection)
    newConnectionsPerSecondAndAddress = try settings.required(Settings.newConnections)
    newCallsPerSecond = try settings.required(Settings.newCalls)
    framesPerSecond = try settings.required(Settings.clientFrames)
    maximumReceivedMessageBytes = try settings.required(Settings.clientMessage)
    headerListBytes = try settings.required(Settings.clientHeaders)
    patience = try settings.required(Settings.patience)
    idleTimeout = try settings.required(Settings.idleTimeout)
  }
}
