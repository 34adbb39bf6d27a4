import Foundation
import Settings
import Testing

struct SettingValuesTests {
  @Test func aFlagWinsOverTheEnvironmentThatOverTheFileAndThatOverTheDefault() throws {
    let file = try TemporaryFile(named: "config.json", #"{"weight": 3, "zone": "from-file", "lease": "9s"}"#)
    let environment = ["PUSHRING_CONFIG": file.path, "PUSHRING_WEIGHT": "2", "PUSHRING_ZONE": "from-environment"]
    let values = try SettingValues(flags: ["weight": "1"], environment: environment)
    #expect(try values.required(Settings.weight) == 1)
    #expect(try values.required(Settings.zone) == "from-environment")
    #expect(try values.required(Settings.lease) == .seconds(9))
    #expect(try values.required(Settings.tokens) == 256)
  }

  @Test(arguments: ["yaml", "yml"])
  func yamlIsReadLikeJSON(ending: String) throws {
    let text = "weight: 7\nno-grouping: true\nendpoint: [\"a:1\", \"b:2\"]\n"
    let file = try TemporaryFile(named: "config.\(ending)", text)
    let values = try SettingValues(flags: ["config": file.path], environment: [:])
    #expect(try values.required(Settings.weight) == 7)
    #expect(try values.required(Settings.noGrouping))
    #expect(try values.required(Settings.endpoint).map(\.description) == ["a:1", "b:2"])
  }

  @Test func anErrorSaysWhereTheTextCameFrom() throws {
    let file = try TemporaryFile(named: "config.json", #"{"weight": 300}"#)
    let fromFile = try SettingValues(flags: ["config": file.path], environment: [:])
    let fromEnvironment = try SettingValues(flags: [:], environment: ["PUSHRING_WEIGHT": "heavy"])
    let fromFlag = try SettingValues(flags: ["weight": "0"], environment: [:])
    #expect(message { try fromFile.required(Settings.weight) }.hasPrefix("\(file.path), key \"weight\": \"300\" must"))
    #expect(message { try fromEnvironment.required(Settings.weight) }.hasPrefix("PUSHRING_WEIGHT: \"heavy\" must be"))
    #expect(
      message { try fromFlag.required(Settings.weight) } == "--weight: \"0\" must be a whole number from 1 to 100")
  }

  @Test func anUnknownKeyIsAnErrorThatNamesTheNearest() throws {
    let file = try TemporaryFile(named: "config.json", #"{"wieght": 3}"#)
    let problem = message { try SettingValues(flags: ["config": file.path], environment: [:]) }
    #expect(problem.contains("unknown key \"wieght\": did you mean weight?"))
  }

  @Test func aNestedKeyIsUnknownToo() throws {
    let file = try TemporaryFile(named: "config.yaml", "redis:\n  url: redis://a\n")
    #expect(message { try SettingValues(flags: ["config": file.path], environment: [:]) }.contains("\"redis.url\""))
  }

  @Test func anUnknownVariableIsAnErrorThatNamesTheNearest() {
    let problem = message { try SettingValues(flags: [:], environment: ["PUSHRING_CLUSTR": "x"]) }
    #expect(problem.contains("unknown environment variable PUSHRING_CLUSTR: did you mean PUSHRING_CLUSTER?"))
  }

  @Test func whatKubernetesSetsForAServiceIsNotTakenForASetting() throws {
    let environment = [
      "PUSHRING_SERVICE_HOST": "10.0.0.1", "PUSHRING_SERVICE_PORT": "7400", "PUSHRING_SERVICE_PORT_SESSIONS": "7400",
      "PUSHRING_PORT": "tcp://10.0.0.1:7400", "PUSHRING_PORT_7400_TCP_ADDR": "10.0.0.1",
      "PUSHRING_SENDER_PORT": "tcp://10.0.0.2:7410", "PUSHRING_SENDER_SERVICE_HOST": "10.0.0.2",
    ]
    #expect(try SettingValues(flags: [:], environment: environment).optional(Settings.podID) == nil)
  }

  @Test func aFileThatIsMissingUnreadableOrOfUnknownKindIsAnError() throws {
    let missing = message { try SettingValues(flags: ["config": "/nowhere/x.json"], environment: [:]) }
    #expect(missing.contains("/nowhere/x.json: can't be read"))
    let broken = try TemporaryFile(named: "config.json", "{")
    #expect(
      message { try SettingValues(flags: ["config": broken.path], environment: [:]) }.contains("can't be understood"))
    let other = try TemporaryFile(named: "config.toml", "")
    #expect(
      message { try SettingValues(flags: ["config": other.path], environment: [:]) }.contains("must end in .json"))
  }

  @Test func whatIsRequiredAndMissingIsNamedWithBothWaysToGiveIt() throws {
    let values = try SettingValues(flags: [:], environment: [:])
    let problem = message { try values.required(Settings.podID) }
    #expect(problem.contains("--pod-id") && problem.contains("PUSHRING_POD_ID"))
  }
}

/// The message of the error that `body` throws; empty when it throws none.
func message(_ body: () throws -> some Any) -> String {
  do {
    _ = try body()
    return ""
  } catch {
    return "\(error)"
  }
}

/// Removed with the last reference.
final class TemporaryFile {
  let path: String
  private let directory: URL

  init(named name: String, _ text: String) throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("pushring-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let url = directory.appendingPathComponent(name)
    try text.write(to: url, atomically: true, encoding: .utf8)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(at: directory) }
}
