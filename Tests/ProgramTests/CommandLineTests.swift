import Foundation
import Settings
import TestServers
import Testing

/// The built program, run as a user runs it. Nothing here needs a server.
struct CommandLineTests {
  @Test(arguments: [
    [], ["session-manager"], ["sender"], ["connect"], ["push"], ["ring"], ["ring", "inspect"], ["ring", "owner"],
    ["sessions"], ["demo"],
  ])
  func everyCommandHasHelp(command: [String]) async throws {
    let done = try await pushring(command + ["--help"])
    #expect(done.code == 0)
    #expect(done.output.contains("USAGE: pushring"))
  }

  @Test func helpShowsEverySettingOfAProgramWithItsDefault() async throws {
    for program in [ProgramName.sessionManager, .sender] {
      let help = try await pushring([program.rawValue, "--help"]).output
      // The help is broken into lines.
      let words = Set(help.split(whereSeparator: \.isWhitespace).map(String.init))
      for setting in Settings.all where setting.programs.contains(program) {
        #expect(words.contains(setting.flag), "\(program): \(setting.flag)")
        if let text = setting.defaultText, !text.isEmpty, !setting.isToggle {
          #expect(words.contains("\(text))"), "\(setting.flag) \(text)")
        }
      }
    }
  }

  @Test(arguments: ["--listen", "--peer-listen", "--admin-listen", "--advertise", "--peer-advertise"])
  func aMalformedAddressIsNamedWithItsFlag(flag: String) async throws {
    let done = try await pushring(["session-manager", flag, "nowhere"])
    #expect(done.code == 64)
    #expect(done.output.contains("\(flag): \"nowhere\" must be HOST:PORT"))
  }

  @Test(arguments: ["0", "-1", "101", "heavy", "1.5"])
  func aBadWeightIsNamedWithItsBounds(weight: String) async throws {
    let done = try await pushring(["session-manager", "--weight=\(weight)"])
    #expect(done.code == 64)
    #expect(done.output.contains("--weight: \"\(weight)\" must be a whole number from 1 to 100"))
  }

  @Test(arguments: [
    ("--pod-id", "a b", "\"a b\" is not usable"), ("--pod-id", "", "is not usable"),
    ("--zone", String(repeating: "z", count: 257), "257 bytes"), ("--zone", "a\tb", "control character"),
  ])
  func aPodThatCannotJoinDoesNotOpenItsPorts(flag: String, text: String, words: String) async throws {
    let done = try await pushring(["session-manager", flag, text])
    #expect(done.code == 64)
    #expect(done.output.contains("\(flag): ") && done.output.contains(words))
    #expect(!done.output.contains("istening"))
    #expect(done.output.contains("See 'pushring session-manager --help'"))
  }

  @Test func anUnknownFlagIsAnErrorThatNamesTheNearest() async throws {
    let done = try await pushring(["session-manager", "--wieght", "3"])
    #expect(done.code == 64)
    #expect(done.output.contains("Unknown option '--wieght'. Did you mean '--weight'?"))
  }

  @Test func anUnknownVariableEndsTheProgram() async throws {
    let done = try await pushring(["sender"], environment: ["PUSHRING_STRATEGIE": "ring"])
    #expect(done.code == 64)
    #expect(done.output.contains("PUSHRING_STRATEGIE: did you mean PUSHRING_STRATEGY?"))
  }

  @Test func anUnknownKeyOfTheFileEndsTheProgram() async throws {
    let directory = try TemporaryDirectory()
    try Data("strateg: ring\n".utf8).write(to: directory.file("config.yaml"))
    let done = try await pushring(["sender", "--config", directory.file("config.yaml").path])
    #expect(done.code == 64)
    #expect(done.output.contains("unknown key \"strateg\": did you mean strategy?"))
  }

  @Test func anErrorAboutASettingShowsTheUsageOfItsCommand() async throws {
    let done = try await pushring(["ring", "inspect", "--lease", "soon"])
    #expect(done.code == 64)
    #expect(done.output.contains("Error: --lease: \"soon\" must be a duration"))
    #expect(done.output.contains("\nUsage: pushring ring inspect <options>\n"))
    #expect(done.output.contains("See 'pushring ring inspect --help'"))
  }

  @Test func aVariableThatResemblesNoneHasNoSuggestion() async throws {
    let done = try await pushring(["sender"], environment: ["PUSHRING_USER": "ann"])
    #expect(done.code == 64)
    #expect(done.output.contains("unknown environment variable PUSHRING_USER; Docs/configuration.md lists all"))
  }

  @Test(arguments: ["{\"listen\": \"1", "", "[1]"])
  func aBrokenFileIsNamedAndWhatIsBrokenInIt(content: String) async throws {
    let directory = try TemporaryDirectory()
    let file = directory.file("broken.json")
    try Data(content.utf8).write(to: file)
    let done = try await pushring(["sender", "--config", file.path])
    #expect(done.code == 64)
    #expect(done.output.contains("configuration file \(file.path): can't be understood: "))
    #expect(!done.output.contains("NSCocoa") && !done.output.contains("UserInfo"))
  }

  @Test func aRenewalIntervalThatLeavesNoRoomForALateRenewalIsRefused() async throws {
    let done = try await pushring(["ring", "inspect", "--lease", "3s", "--renewal-interval", "2s"])
    #expect(done.code == 64)
    #expect(done.output.contains("must be half of the lease (3s) or less"))
  }

  @Test(arguments: [["--user", "u"], ["--user", "u", "--message", "m", "--file", "f"]])
  func aPushHasOnePayload(flags: [String]) async throws {
    let done = try await pushring(["push"] + flags)
    #expect(done.code == 64)
    #expect(done.output.contains("one of --message TEXT and --file FILE"))
  }

  @Test func aFileThatCannotBeReadIsNamed() async throws {
    let done = try await pushring(["push", "--user", "u", "--file", "/nowhere/at-all"])
    #expect(done.code == 1)
    #expect(done.output.contains("--file /nowhere/at-all: can't be read"))
  }

  @Test func aFileThatNoSenderTakesIsNotSent() async throws {
    let directory = try TemporaryDirectory()
    let file = directory.file("large")
    try Data(count: 16 * 1024 * 1024 + 1).write(to: file)
    let done = try await pushring(["push", "--sender", "127.0.0.1:1", "--user", "u", "--file", file.path])
    #expect(done.code == 1)
    #expect(done.output.contains("--file \(file.path): the payload is too large"))
    #expect(done.output.contains("16777216"))
  }

  @Test func aPushToASenderThatIsNotThereFailsSoonAndNamesIt() async throws {
    let port = try freePort()
    let done = try await pushring(["push", "--sender", "127.0.0.1:\(port)", "--user", "u", "--message", "m"])
    #expect(done.code == 1)
    #expect(done.output.contains("the Sender at 127.0.0.1:\(port) is not available"))
  }

  @Test func aSessionThatGivesUpSaysWhy() async throws {
    let port = try freePort()
    let done = try await pushring([
      "connect", "--endpoint", "127.0.0.1:\(port)", "--user", "u", "--max-attempts", "1", "--output", "json",
    ])
    #expect(done.code == 1)
    #expect(done.output.contains("\"event\":\"ended\",\"final\":true,\"reason\":\"gave up:"))
    #expect(done.output.contains("127.0.0.1:\(port)"))
  }

  @Test func aUserWithControlCharactersIsRefused() async throws {
    let done = try await pushring(["ring", "owner", "a\u{7}b"])
    #expect(done.code == 64)
    #expect(done.output.contains("control character"))
  }
}

struct Ended {
  let code: Int
  /// stdout and stderr.
  let output: String
}

/// Runs the program to its end, which has to come soon.
func pushring(_ arguments: [String], environment: [String: String] = [:]) async throws -> Ended {
  let directory = try TemporaryDirectory()
  let process = try ProcessHandle(
    try programPath(), arguments, environment: environment, outputFile: directory.file("output"))
  let exit = try await process.awaitExit(within: .seconds(20))
  guard case .code(let code) = exit else { throw TestServerError("pushring ended with \(exit): \(process.output)") }
  return Ended(code: Int(code), output: process.output)
}

/// Beside the test runner, where the build puts both.
func programPath() throws -> String {
  let runner = try #require(Bundle.main.executableURL)
  var directory = runner.deletingLastPathComponent()
  for _ in 0..<4 {
    let candidate = directory.appendingPathComponent("pushring").path
    if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
    directory = directory.deletingLastPathComponent()
  }
  // The runner may be the toolchain's own; then the tests are started from the package's folder.
  return URL(fileURLWithPath: ".build/debug/pushring").standardizedFileURL.path
}
