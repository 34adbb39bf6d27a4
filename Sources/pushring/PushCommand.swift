internal import Administration
internal import ArgumentParser
internal import Foundation
internal import Settings
internal import Wire

struct PushCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Push a message to a user's sessions, through a Sender.",
    discussion: """
      Examples:
        pushring push --sender 127.0.0.1:7410 --user alice --message hello
        pushring push --user alice --session laptop --file notice.json --output json

      Exit code: 0 every session that was found got it (with --any: one of them); 2 some did not, or there may be more; 3
      nobody got it; 1 the push failed.
      """)

  enum Strategy: String, ExpressibleByArgument, CaseIterable { case ring, directory, modulo }

  @Option(Settings.sender) var sender: String?
  @Option(name: .long, help: ArgumentHelp("Whom to push to.", valueName: "USER"))
  var user: String
  @Option(name: .long, help: ArgumentHelp("Only this session (default: all of the user's).", valueName: "ID"))
  var session: String?
  @Option(name: .long, help: ArgumentHelp("The message's payload.", valueName: "TEXT"))
  var message: String?
  @Option(
    name: .long, help: ArgumentHelp("A file that has the payload; - is stdin.", valueName: "FILE"), completion: .file())
  var file: String?
  @Option(name: .long, help: ArgumentHelp("A header, NAME=VALUE; can be given several times.", valueName: "NAME=VALUE"))
  var header: [String] = []
  @Option(name: .long, help: ArgumentHelp("Repeat a push with its id, and clients drop the repeat.", valueName: "ID"))
  var messageID: String?
  @Option(name: .long, help: ArgumentHelp("Instead of the Sender's own strategy.", valueName: "ring|directory|modulo"))
  var strategy: Strategy?
  @Flag(name: .long, help: "One RPC per session instead of one per pod (for comparison).")
  var noGrouping = false
  @Flag(name: .long, help: "Exit with 0 as soon as one session got it, even if there may be more.")
  var any = false
  @OptionGroup var printing: OutputOptions
  @Option(Settings.pushTimeout) var pushTimeout: String?
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] {
    [SettingFlag(Settings.sender, sender), SettingFlag(Settings.pushTimeout, pushTimeout)] + common.flags
  }

  func validate() throws {
    guard (message == nil) != (file == nil) else {
      throw ValidationError("give the payload by one of --message TEXT and --file FILE")
    }
    guard header.allSatisfy({ $0.contains("=") && !$0.hasPrefix("=") }) else {
      throw ValidationError("--header must be NAME=VALUE")
    }
  }

  func run() async throws {
    let settings = try settings()
    let (address, timeout) = try usage {
      (try settings.required(Settings.sender), try settings.required(Settings.pushTimeout))
    }
    let result = try await push(try request(timeout: timeout), through: address, timeout: timeout)
    let report = PushReport(result)
    try printing.show(report) { _ in report.table }
    throw ExitCode(report.exitCode(anyIsEnough: any))
  }

  private func request(timeout: Duration) throws -> Pushring_V1_PushRequest {
    var request = Pushring_V1_PushRequest()
    request.userID = user
    request.sessionID = session ?? ""
    request.payload = try payload()
    request.messageID = messageID ?? ""
    request.noGrouping = noGrouping
    request.timeoutMillis = UInt32(timeout / .milliseconds(1))
    request.strategy =
      switch strategy {
      case nil: .unspecified
      case .ring: .ring
      case .directory: .directory
      case .modulo: .modulo
      }
    for text in header {
      guard let equals = text.firstIndex(of: "=") else { continue }
      request.headers[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return request
  }

  private func payload() throws -> Data {
    if let message { return try checkedSize(Data(message.utf8), "--message") }
    let path = file ?? "-"
    let payload: Data
    do {
      let handle = path == "-" ? .standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      // One more than fits, so that a file of any size is not read whole to find out.
      payload = try handle.read(upToCount: Settings.largestMessage + 1) ?? Data()
    } catch {
      throw Failure("--file \(path): can't be read: \(error.localizedDescription)")
    }
    return try checkedSize(payload, "--file \(path)")
  }

  /// Against what no Sender can be made to take; the Sender's own limit it tells itself.
  private func checkedSize(_ payload: Data, _ source: String) throws -> Data {
    guard payload.count <= Settings.largestMessage else {
      throw Failure(
        "\(source): the payload is too large; no Sender takes more than \(Settings.largestMessage) bytes, and one whose "
          + "--max-message is not set \(Settings.maximumMessage.description.defaultText ?? "")")
    }
    return payload
  }
}
