import Foundation
import Settings
import Testing

struct SettingTextTests {
  @Test(arguments: [
    ("127.0.0.1:7400", "127.0.0.1", 7_400), ("pod-0.pods:1", "pod-0.pods", 1), ("[::1]:0", "::1", 0),
  ])
  func anAddressHasAHostAndAPort(text: String, host: String, port: Int) throws {
    let address = try #require(HostAndPort(text))
    #expect(address == HostAndPort(host: host, port: port))
    #expect(address.description == text)
  }

  @Test(arguments: [
    "", "localhost", ":7400", "host:", "host:x", "host:65536", "host:-1", "host:+1", "::1:7400", "http://host:80",
    "a b:1",
  ])
  func whatIsNotHostAndPortIsRefusedWithTheFormNamed(text: String) throws {
    let values = try SettingValues(flags: ["listen": text], environment: [:])
    #expect(message { try values.required(Settings.sessionListen) }.contains("HOST:PORT"))
  }

  @Test(arguments: [
    ("500ms", Duration.milliseconds(500)), ("3s", .seconds(3)), ("1.5s", .milliseconds(1_500)), ("2m", .seconds(120)),
  ])
  func aDurationHasAUnit(text: String, duration: Duration) throws {
    let values = try SettingValues(flags: ["lease": text], environment: [:])
    #expect(try values.required(Settings.lease) == duration)
  }

  @Test(arguments: ["3", "s", "-1s", "3 s", "3d", "1..5s", "", "10ms", "2h"])
  func aDurationWithoutUnitOrOutOfBoundsIsRefused(text: String) throws {
    let values = try SettingValues(flags: ["lease": text], environment: [:])
    #expect(message { try values.required(Settings.lease) }.contains("must be"))
  }

  @Test func aPasswordIsNotInTheError() throws {
    let values = try SettingValues(flags: ["redis": "redis://:secret@host"], environment: [:])
    let error = values.error(about: Settings.redis, "no such host")
    #expect(error.message == "--redis: no such host")
  }

  @Test(arguments: [Duration.milliseconds(250), .seconds(3), .seconds(90), .seconds(3_600), .zero])
  func theTextOfADurationReadsBackAsTheSame(duration: Duration) throws {
    let values = try SettingValues(flags: ["drain-deadline": duration.settingText], environment: [:])
    #expect(try values.required(Settings.drainDeadline) == duration)
  }

  @Test func everyDefaultIsAValueOfItsOwnSetting() throws {
    let values = try SettingValues(flags: [:], environment: [:])
    _ = try values.required(Settings.logLevel)
    _ = try values.required(Settings.redisTimeout)
    _ = try values.required(Settings.grace)
    _ = try values.required(Settings.senderListen)
    _ = try values.required(Settings.senderAdminListen)
    _ = try values.required(Settings.sessionAdminListen)
    _ = try values.required(Settings.strategy)
    _ = try values.required(Settings.outboundLimit)
    _ = try values.required(Settings.endpoint)
    _ = try values.required(Settings.sender)
  }
}

struct SettingTableTests {
  @Test func theDocumentationNamesEverySettingWithItsFlagVariableAndDefault() throws {
    let document = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Docs/configuration.md")
    let lines = try String(contentsOf: document, encoding: .utf8).split(separator: "\n")
    for setting in Settings.all {
      let row = lines.first { line in
        line.hasPrefix("| `\(setting.flag)` | `\(setting.environmentVariable)` |")
          && line.contains(" `\(setting.defaultText ?? "")` ") == (setting.defaultText?.isEmpty == false)
          && line.contains(setting.help)
      }
      #expect(row != nil, "Docs/configuration.md has no row for \(setting.name) as the table has it")
    }
  }

  @Test func aNameStandsForOneSettingPerProgram() {
    for program in ProgramName.allCases {
      let names = Settings.all.filter { $0.programs.contains(program) }.map(\.name)
      #expect(Set(names).count == names.count)
    }
  }
}
