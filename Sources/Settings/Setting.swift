/// One thing that an operator can set: its name, what it means, and how its text becomes a value.
///
/// The name is the key in the configuration file, and gives the flag (`--name`) and the environment variable
/// (`PUSHRING_NAME`), so that whoever knows one knows all three. The type is checked by the compiler where the value is
/// used; the text is parsed in one place, so that a wrong value gets the same error wherever it came from.
public struct Setting<Value: Sendable>: Sendable {
  public let description: SettingDescription
  let parse: @Sendable (String) throws(UnusableText) -> Value

  init(
    _ name: String, of programs: Set<ProgramName>, default defaultText: String?, isSecret: Bool = false,
    type: SettingType<Value>, help: String
  ) {
    description = SettingDescription(
      name: name, programs: programs, type: type.name, defaultText: defaultText, isSecret: isSecret,
      isToggle: type.name == "true or false", help: help)
    parse = type.parse
  }
}

/// The programs that read settings: subcommands of `pushring`.
public enum ProgramName: String, Sendable, Hashable, CaseIterable {
  case sessionManager = "session-manager"
  case sender
  case connect
  case push
  /// `ring inspect` and `ring owner`.
  case ring
  case sessions
  case demo

  static let servers: Set<Self> = [.sessionManager, .sender]
  /// Those that speak to Redis.
  static let redisClients: Set<Self> = [.sessionManager, .sender, .ring, .sessions]
}

/// A setting without its type: what the table, the help and the documentation show.
public struct SettingDescription: Sendable, Hashable {
  /// The key in the configuration file: words of lower-case letters, joined by "-".
  public let name: String
  public let programs: Set<ProgramName>
  /// What kind of text it takes, for people.
  public let type: String
  /// Nil: it is not set, and where the program needs it, it has to be given.
  public let defaultText: String?
  /// The value holds a password and is left out of errors.
  public let isSecret: Bool
  /// On the command line the flag alone means true.
  public let isToggle: Bool
  public let help: String

  public var flag: String { "--\(name)" }

  public var environmentVariable: String {
    environmentPrefix + name.map { $0 == "-" ? "_" : $0.uppercased() }.joined()
  }
}

let environmentPrefix = "PUSHRING_"
