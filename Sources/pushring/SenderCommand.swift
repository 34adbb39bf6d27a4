internal import ArgumentParser
internal import Logging
internal import Metrics
internal import Observability
internal import RedisClient
internal import RedisDirectory
internal import Sender
internal import ServiceLifecycle
internal import Settings
internal import Synchronization

struct SenderCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "sender",
    abstract: "Run a Sender: it takes pushes from backends and finds the pods to call.",
    discussion: """
      Stateless: run as many as you like. Example:
        pushring sender --listen 127.0.0.1:7410 --redis redis://127.0.0.1:6379

      Up when http://ADMIN-LISTEN/readyz says 200.
      """)

  @Option(Settings.senderListen) var listen: String?
  @Option(Settings.senderAdminListen) var adminListen: String?
  @Option(Settings.strategy) var strategy: String?
  @Flag(name: .customLong(Settings.noGrouping.description.name), help: ArgumentHelp(Settings.noGrouping.description))
  var noGrouping = false
  @Option(Settings.maximumInFlight) var maximumInFlight: String?
  @Option(Settings.pushTimeout) var pushTimeout: String?
  @Option(Settings.auditInterval) var auditInterval: String?
  @Option(Settings.maximumMessage) var maximumMessage: String?
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] {
    [
      SettingFlag(Settings.senderListen, listen), SettingFlag(Settings.senderAdminListen, adminListen),
      SettingFlag(Settings.strategy, strategy), SettingFlag(Settings.noGrouping, noGrouping ? "true" : nil),
      SettingFlag(Settings.maximumInFlight, maximumInFlight), SettingFlag(Settings.pushTimeout, pushTimeout),
      SettingFlag(Settings.auditInterval, auditInterval), SettingFlag(Settings.maximumMessage, maximumMessage),
    ] + registry.flags + common.flags
  }

  func run() async throws {
    let settings = try settings()
    let configuration = try usage { try SenderConfiguration(settings) }
    let (listen, admin) = try usage {
      (try settings.required(Settings.senderListen), try settings.required(Settings.senderAdminListen))
    }
    let logger = try Logger("sender", settings)
    let metrics = MetricRegistry()
    MetricsSystem.bootstrap(metrics)
    let descriptors = DescriptorLimit.raise(logger)
    let access = try RegistryAccess(settings, logger: logger)
    let follower = ViewFollower(directory: access.directory, configuration: access.configuration, logger: logger)
    let sender = Sender(
      configuration: configuration, directory: access.directory, follower: follower, logger: logger)
    let server = SenderServer(sender: sender, host: listen.host, port: listen.port, logger: logger)
    let service = SenderService(server: server, access: access)
    let administration = AdministrationServer(
      host: admin.host, port: admin.port, registry: metrics,
      notReadyReason: { service.notReadyReason ?? sender.notReadyReason }, logger: logger)
    logger.info(
      "Starting",
      metadata: [
        "listen": "\(listen)", "strategy": "\(configuration.strategy)",
        "redis.address": "\(access.configuration.address)", "cluster": "\(access.directory.cluster)",
        "open.files.limit": "\(descriptors)",
      ])
    try await serve(
      [
        Background { await access.client.run() }, Background { await follower.run() }, administration,
        Background { try await sender.run() }, service,
      ],
      limit: configuration.pushTimeout + .seconds(10), logger: logger)
  }
}

/// The gRPC service; it listens at once, as it can tell its callers why it can't push yet.
private final class SenderService: Service {
  private let server: SenderServer
  private let access: RegistryAccess
  private let hasRedis = Mutex(false)

  init(server: SenderServer, access: RegistryAccess) {
    self.server = server
    self.access = access
  }

  func run() async throws {
    try await Background {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await self.server.run() }
        group.addTask {
          try await self.access.awaitConnection()
          self.hasRedis.withLock { $0 = true }
        }
        // Not `waitForAll`, which would wait for the server although the other has failed.
        for try await _ in group {}
      }
    }.run()
  }

  var notReadyReason: String? {
    hasRedis.withLock { $0 } ? nil : "Redis at \(access.configuration.address) has not answered yet"
  }
}

extension SenderConfiguration {
  fileprivate init(_ settings: SettingValues) throws {
    self.init()
    strategy = Strategy(rawValue: try settings.required(Settings.strategy)) ?? .ring
    groupsByPod = try !settings.required(Settings.noGrouping)
    maximumInFlight = try settings.required(Settings.maximumInFlight)
    pushTimeout = try settings.required(Settings.pushTimeout)
    auditInterval = try settings.required(Settings.auditInterval)
    maximumPayloadBytes = try settings.required(Settings.maximumMessage)
  }
}
