internal import Administration
internal import ArgumentParser
internal import Logging
internal import RedisDirectory
internal import Settings

struct RingExplainCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show where a user's sessions should be, where they are by all accounts, and what a push would do.",
    discussion: """
      Asks the registry and every pod, and changes nothing. The push is worked out by the code that routes pushes, step by
      step, with what it costs; nothing is sent. Where two accounts differ it looks again after a second, as sessions
      move, and tells what is still so.

      Examples:
        pushring ring explain alice --redis redis://127.0.0.1:6379
        pushring ring explain alice --output json | jq '.push.steps, .disagreements'

      Exit codes: 0 it could be told, disagreements or not; 2 an error.
      """)

  @Argument(help: ArgumentHelp("The user's id.", valueName: "USER"))
  var user: String
  @OptionGroup var printing: OutputOptions
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  private static let pause = Duration.seconds(1)

  func run() async throws {
    let user = try checkedUser(user)
    let timeout = fleet.timeout
    let report = try await endingWith2 {
      let access = try registryAccess("ring")
      return try await access.use { directory in
        let cluster = directory.cluster.text
        @Sendable func look(_ silent: [Fleet.Silence] = []) async throws -> ExplainReport {
          guard let facts = try await UserFacts.gather(of: user, directory, timeout: timeout, earlier: silent) else {
            throw nobodyEverJoined(directory)
          }
          return ExplainReport(cluster: cluster, facts)
        }
        let first = try await look()
        guard !first.disagreements.isEmpty else { return first }
        try await Task.sleep(for: Self.pause)
        return try await look(first.silent).confirming(first)
      }
    }
    try printing.show(report) { report.text($0) }
  }
}
