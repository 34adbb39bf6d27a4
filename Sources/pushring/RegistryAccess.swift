internal import ArgumentParser
internal import Foundation
internal import HashRing
internal import Logging
internal import Observability
internal import RedisClient
internal import RedisDirectory
internal import Settings

/// Redis and the registry in it, as the settings say.
struct RegistryAccess: Sendable {
  let configuration: RedisConfiguration
  let client: RedisClient
  let directory: RedisDirectory
  let logger: Logger

  init(_ settings: SettingValues, logger: Logger) throws {
    configuration = try Self.redisConfiguration(settings)
    client = RedisClient(configuration: configuration, logger: logger)
    directory = RedisDirectory(
      client: client, cluster: try Self.cluster(settings), settings: try DirectorySettings(settings), logger: logger)
    self.logger = logger
  }

  /// For a command that runs once: an answer or an error within seconds, however Redis is.
  func use<Value: Sendable>(_ body: @escaping @Sendable (RedisDirectory) async throws -> Value) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask {
        await client.run()
        return nil
      }
      defer { group.cancelAll() }
      try await checkConnection()
      return try await body(directory)
    }
  }

  /// - Throws: `Failure` when Redis does not answer, or refuses the password.
  func checkConnection() async throws {
    do {
      _ = try await client.send(["PING"])
    } catch  where error.isRefusalOfOneCommand {
      return
    } catch {
      throw Failure(error.message)
    }
  }

  /// Returns when Redis answers; keeps trying, as a server that is started together with its Redis has to.
  /// - Throws: `Failure` when Redis refuses the password: trying again would not help.
  func awaitConnection() async throws {
    var attempts = 0
    while !Task.isCancelled {
      do {
        _ = try await client.send(["PING"])
        return
      } catch  where error.code == .cancelled {
        throw CancellationError()
      } catch  where error.code == .authentication || error.code == .configuration {
        throw Failure(error.message)
      } catch  where error.isRefusalOfOneCommand {
        return
      } catch {
        // At once, and then every ten seconds.
        logger.log(
          level: attempts % 10 == 0 ? .warning : .debug, "Redis can't be reached; trying again",
          metadata: ["redis.address": "\(configuration.address)", "error": "\(error.message)"])
        attempts += 1
      }
      try await Task.sleep(for: .seconds(1))
    }
  }

  private static func redisConfiguration(_ settings: SettingValues) throws -> RedisConfiguration {
    let url = try usage { try settings.required(Settings.redis) }
    do {
      var configuration = try RedisConfiguration(url: url)
      let timeout = try usage { try settings.required(Settings.redisTimeout) }
      configuration.connectTimeout = timeout
      configuration.commandTimeout = timeout
      configuration.tlsCertificateAuthorityFile = try usage {
        try settings.optional(Settings.redisCertificateAuthority)
      }
      return configuration
    } catch let error as RedisError {
      throw ValidationError(settings.error(about: Settings.redis, error.message).message)
    }
  }

  private static func cluster(_ settings: SettingValues) throws -> ClusterName {
    do {
      return try ClusterName(try usage { try settings.required(Settings.cluster) })
    } catch let error as DirectoryError {
      throw ValidationError(settings.error(about: Settings.cluster, error.message).message)
    }
  }
}

extension SettingsReader {
  /// For a command that runs once, and whose log is only for what went wrong.
  func registryAccess(_ label: String) throws -> RegistryAccess {
    let settings = try settings()
    return try RegistryAccess(settings, logger: try Logger(label, settings, minimum: .error))
  }
}

extension RedisError {
  /// An ACL user need not have the right to PING; the commands that follow will tell what it may not do.
  fileprivate var isRefusalOfOneCommand: Bool { code == .server && message.contains("NOPERM") }
}

extension DirectorySettings {
  init(_ settings: SettingValues) throws {
    self.init()
    (renewalInterval, lease, grace, tokensPerWeight) = try usage {
      (
        try settings.required(Settings.renewalInterval), try settings.required(Settings.lease),
        try settings.required(Settings.grace), try settings.required(Settings.tokens)
      )
    }
    recoveryWait = try usage { try settings.optional(Settings.recoveryWait) }
    shareCap = try usage { try settings.optional(Settings.shareCap).map { try ShareCap(percent: $0) } }
    guard renewalInterval * 2 <= lease else {
      throw ValidationError(
        "the renewal interval (\(renewalInterval.settingText)) must be half of the lease (\(lease.settingText)) or less: "
          + "one renewal that comes late must not end it")
    }
  }
}

extension Logger {
  /// As the settings say, to stderr.
  init(_ label: String, _ settings: SettingValues, minimum: Logger.Level = .trace) throws {
    let (level, format) = try usage {
      (
        Logger.Level(rawValue: try settings.required(Settings.logLevel)) ?? .info,
        LogFormat(rawValue: try settings.required(Settings.logFormat)) ?? .text
      )
    }
    self.init(label: label) { label in
      StandardErrorLogHandler(label: label, format: format, level: max(level, minimum))
    }
  }
}
