// Where a setting comes from: flags win over environment variables, those over the configuration file, and that over
// the default. What nobody knows, a misspelt key or variable, is an error and never ignored: a limit that was set in
// vain is worse than a program that does not start.
//
// swift-configuration reads the files. The precedence is ours, because an error must say where the text came from.

/// Something about the settings is wrong; the message says which one, where it was set, and what it should be.
public struct SettingError: Error, Hashable, Sendable, CustomStringConvertible {
  public let message: String
  public var description: String { message }
}

/// The settings of one program run, resolved on demand.
public struct SettingValues: Sendable {
  /// Name to text, of the flags that were given.
  private let flags: [String: String]
  private let environment: [String: String]
  private var file: SettingFile?

  /// - Throws: when the file can't be read, or a key or variable is unknown.
  public init(flags: [String: String], environment: [String: String]) throws(SettingError) {
    self.flags = flags
    self.environment = try ownVariables(environment)
    if let path = try optional(Settings.config) {
      file = try SettingFile(path: path)
    }
  }

  /// Nil when it was not set anywhere and has no default.
  public func optional<Value>(_ setting: Setting<Value>) throws(SettingError) -> Value? {
    guard let found = lookUp(setting.description) else { return nil }
    do {
      return try setting.parse(found.text)
    } catch {
      let shown = setting.description.isSecret ? "its value" : "\"\(found.text)\""
      throw SettingError(message: "\(found.source): \(shown) \(error.problem)")
    }
  }

  /// - Throws: also when it was not set anywhere and has no default.
  public func required<Value>(_ setting: Setting<Value>) throws(SettingError) -> Value {
    if let value = try optional(setting) { return value }
    let description = setting.description
    throw SettingError(
      message: "\(description.flag) is missing: give it, or set \(description.environmentVariable). \(description.help)"
    )
  }

  /// An error about a value that parsed and is still wrong, naming where it came from.
  public func error<Value>(about setting: Setting<Value>, _ problem: String) -> SettingError {
    SettingError(message: "\(lookUp(setting.description)?.source ?? setting.description.flag): \(problem)")
  }

  private func lookUp(_ setting: SettingDescription) -> (text: String, source: String)? {
    if let text = flags[setting.name] { return (text, setting.flag) }
    if let text = environment[setting.environmentVariable] { return (text, setting.environmentVariable) }
    if let file, let text = file.texts[setting.name] { return (text, "\(file.path), key \"\(setting.name)\"") }
    return setting.defaultText.map { ($0, "the default of \(setting.flag)") }
  }
}
