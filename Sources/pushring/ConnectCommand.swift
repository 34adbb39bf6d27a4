internal import ArgumentParser
internal import Foundation
internal import Logging
internal import SessionClient
internal import Settings
internal import UnixSignals

struct ConnectCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "connect",
    abstract: "Open a session in the terminal and print the messages that arrive.",
    discussion: """
      Example:
        pushring connect --endpoint 127.0.0.1:7400 --user alice --session laptop

      Reconnects with growing pauses, and follows the pods' requests to go elsewhere. Each message is a line on stdout; what
      happens to the session is told on stderr. With --output json everything is on stdout, one object a line:
        {"event":"welcome","session":…,"pod":…,"epoch":…,"endpoint":…}
        {"event":"message","id":…,"payload":…,"headers":{…},"pod":…,"sentAtUnixMicros":…}
          (payloadBase64 instead of payload, when it isn't UTF-8)
        {"event":"reconnect","reason":…,"endpoint":…}            the pod asks to go elsewhere
        {"event":"ended","final":false,"reason":…,"pauseSeconds":…}   lost; another attempt follows
        {"event":"ended","final":true,"reason":…}
      """)

  @Option(Settings.endpoint) var endpoint: String?
  @Option(name: .long, help: ArgumentHelp("Whose session it is.", valueName: "USER"))
  var user: String
  @Option(
    name: .long,
    help: ArgumentHelp(
      "The device's name; a second connection with it replaces the first. Without it the pod makes one.",
      valueName: "ID"))
  var session: String?
  @Option(name: .long, help: ArgumentHelp("Exit with 0 after this many messages.", valueName: "N"))
  var count: Int?
  @Option(name: .long, help: "How to print: text or json.")
  var output: ConnectOutput = .text
  @Flag(name: .long, help: "Take the session back when the same session id connects elsewhere.")
  var fight = false
  @Flag(name: .long, help: "Connect to the endpoints as they are, in order, without asking for the user's owner.")
  var stay = false
  @Option(Settings.connectTimeout) var connectTimeout: String?
  @Option(Settings.maximumBackoff) var maximumBackoff: String?
  @Option(
    name: .long, help: ArgumentHelp("Give up after this many rounds of failed attempts in a row.", valueName: "N"))
  var maxAttempts: Int?
  @Option(Settings.keepAliveInterval) var keepAliveInterval: String?
  @Option(Settings.keepAliveTimeout) var keepAliveTimeout: String?
  @OptionGroup var common: CommonOptions

  enum ConnectOutput: String, ExpressibleByArgument, CaseIterable { case text, json }

  var flags: [SettingFlag] {
    [
      SettingFlag(Settings.endpoint, endpoint), SettingFlag(Settings.connectTimeout, connectTimeout),
      SettingFlag(Settings.maximumBackoff, maximumBackoff), SettingFlag(Settings.keepAliveInterval, keepAliveInterval),
      SettingFlag(Settings.keepAliveTimeout, keepAliveTimeout),
    ] + common.flags
  }

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count must be 1 or more") }
    if let maxAttempts, maxAttempts < 1 { throw ValidationError("--max-attempts must be 1 or more") }
  }

  func run() async throws {
    let settings = try settings()
    let client = SessionClient(
      configuration: try clientConfiguration(settings), logger: try Logger("connect", settings))
    let printer = SessionPrinter(format: output)
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let listener = Task {
      var isFirst = true
      for await signal in signals {
        // In good order first; whoever repeats it does not want to wait.
        guard isFirst else { Self.exit(withError: ExitCode(128 + signal.rawValue)) }
        isFirst = false
        client.close()
      }
    }
    let running = Task { await client.run() }
    var received = 0
    for await event in client.events {
      printer.print(event)
      guard case .message = event else { continue }
      received += 1
      if received == count { break }
    }
    client.close()
    listener.cancel()
    let reason = await running.value
    if let count, received >= count { return }
    guard reason == .closed else { throw ExitCode(1) }
    throw count == nil ? ExitCode.success : ExitCode(130)
  }

  private func clientConfiguration(_ settings: SettingValues) throws -> SessionClientConfiguration {
    try usage {
      let endpoints = try settings.required(Settings.endpoint).map(\.description)
      var configuration = SessionClientConfiguration(endpoints: endpoints, user: user, session: session ?? "")
      configuration.connectTimeout = try settings.required(Settings.connectTimeout)
      configuration.backoff.maximum = try settings.required(Settings.maximumBackoff)
      configuration.keepAliveInterval = try settings.required(Settings.keepAliveInterval)
      configuration.keepAliveTimeout = try settings.required(Settings.keepAliveTimeout)
      configuration.maximumAttempts = maxAttempts
      configuration.comesBackWhenTakenOver = fight
      configuration.staysAtEndpoints = stay
      configuration.acknowledges = true
      return configuration
    }
  }
}
