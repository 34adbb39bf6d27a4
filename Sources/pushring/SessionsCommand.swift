internal import Administration
internal import ArgumentParser
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Settings

struct SessionsCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "sessions",
    abstract: "Show where a user's sessions are, by the registry's records.",
    discussion: """
      Example:
        pushring sessions alice --redis redis://127.0.0.1:6379

      PLACE: owner (on the user's owner), stray (elsewhere), grace (on a pod whose lease ended and that may come back), void
      (on a process that is gone), newer (on a process that joined just now).
      """)

  @Argument(help: ArgumentHelp("The user's id.", valueName: "USER"))
  var user: String
  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    let user = try checkedUser(user)
    let access = try registryAccess("sessions")
    let report = try await access.use { directory in
      // The records first: a view that is older than a record would take a new pod for a dead one.
      let records = try await directory.records(of: user)
      return SessionsReport(user: user, records: records, view: try await directory.window()?.current)
    }
    try printing.show(report) { report.text($0) }
  }
}
