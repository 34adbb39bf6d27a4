internal import ArgumentParser
internal import Foundation
internal import Settings

// Flags whose name, help and default come from the table of settings. All are text here: `SettingValues` parses what it
// finds, so that a wrong value gets the same error from a flag, a variable or a file.

extension Option where Value == String? {
  init<Parsed>(_ setting: Setting<Parsed>) {
    self.init(
      name: .customLong(setting.description.name), help: ArgumentHelp(setting.description),
      completion: CompletionKind(setting.description))
  }
}

extension CompletionKind {
  /// What a shell can offer for a setting's value; nil: nothing.
  fileprivate init?(_ setting: SettingDescription) {
    switch setting.type {
    case let type where type.hasPrefix("path"): self = .file()
    case let type where type.hasPrefix("one of "):
      self = .list(type.dropFirst("one of ".count).replacing(", ", with: "|").split(separator: "|").map(String.init))
    default: return nil
    }
  }
}

extension ArgumentHelp {
  init(_ setting: SettingDescription) {
    let fallback = setting.defaultText.flatMap { $0.isEmpty || setting.isToggle ? nil : " (default: \($0))" } ?? ""
    self.init("\(setting.help)\(fallback)", valueName: Self.valueName(of: setting))
  }

  private static func valueName(of setting: SettingDescription) -> String {
    switch setting.type {
    case let type where type.hasPrefix("HOST:PORT, several"): "HOST:PORT,…"
    case let type where type.hasPrefix("HOST:PORT"): "HOST:PORT"
    case let type where type.hasPrefix("one of "): String(type.dropFirst("one of ".count)).replacing(", ", with: "|")
    case let type where type.hasPrefix("a whole number"): "N"
    case let type where type.hasPrefix("a duration"): "DURATION"
    case let type where type.hasPrefix("path"): "FILE"
    default: setting.name == "redis" ? "URL" : "TEXT"
    }
  }
}

/// A command that reads settings.
protocol SettingsReader {
  /// What was given on the command line.
  var flags: [SettingFlag] { get }
}

/// One setting with the text that its flag was given, if it was.
struct SettingFlag {
  let name: String
  let text: String?

  init<Value>(_ setting: Setting<Value>, _ text: String?) {
    name = setting.description.name
    self.text = text
  }
}

extension SettingsReader {
  /// - Throws: `ValidationError`: the exit code is 64, and the usage is shown.
  func settings() throws -> SettingValues {
    let given = flags.compactMap { flag in flag.text.map { (flag.name, $0) } }
    return try usage {
      try SettingValues(flags: Dictionary(given) { $1 }, environment: ProcessInfo.processInfo.environment)
    }
  }
}

/// What is wrong with settings is wrong with the command line.
func usage<Value>(_ body: () throws -> Value) throws -> Value {
  do {
    return try body()
  } catch let error as SettingError {
    throw ValidationError(error.message)
  }
}

struct CommonOptions: ParsableArguments {
  @Option(Settings.config) var config: String?
  @Option(Settings.logLevel) var logLevel: String?
  @Option(Settings.logFormat) var logFormat: String?

  var flags: [SettingFlag] {
    [
      SettingFlag(Settings.config, config), SettingFlag(Settings.logLevel, logLevel),
      SettingFlag(Settings.logFormat, logFormat),
    ]
  }
}

struct RegistryOptions: ParsableArguments {
  @Option(Settings.redis) var redis: String?
  @Option(Settings.cluster) var cluster: String?
  @Option(Settings.redisCertificateAuthority) var redisCertificateAuthority: String?
  @Option(Settings.redisTimeout) var redisTimeout: String?
  @Option(Settings.lease) var lease: String?
  @Option(Settings.renewalInterval) var renewalInterval: String?
  @Option(Settings.grace) var grace: String?
  @Option(Settings.recoveryWait) var recoveryWait: String?
  @Option(Settings.tokens) var tokens: String?
  @Option(Settings.shareCap) var shareCap: String?

  var flags: [SettingFlag] {
    [
      SettingFlag(Settings.redis, redis), SettingFlag(Settings.cluster, cluster),
      SettingFlag(Settings.redisCertificateAuthority, redisCertificateAuthority),
      SettingFlag(Settings.redisTimeout, redisTimeout), SettingFlag(Settings.lease, lease),
      SettingFlag(Settings.renewalInterval, renewalInterval), SettingFlag(Settings.grace, grace),
      SettingFlag(Settings.recoveryWait, recoveryWait), SettingFlag(Settings.tokens, tokens),
      SettingFlag(Settings.shareCap, shareCap),
    ]
  }
}
