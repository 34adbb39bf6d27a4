internal import Administration
internal import ArgumentParser
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Sessions
internal import Settings

struct RingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ring",
    abstract: "Look at the ring, ask what a change would do, find out what is wrong, and mend it.",
    discussion: """
      pushring ring inspect           members, their parts of the ring, their load; as table, JSON or picture
      pushring ring owner USER        whose a user is: the ring's arithmetic alone
      pushring ring explain USER      where a user's sessions are by all accounts, and what a push would do
      pushring ring simulate --add P  what a change of the ring would move
      pushring ring check             the registry against the pods; 'ring fix' mends what it finds
      pushring ring forget POD        the process of this member is dead: end its grace
      pushring ring diff A.json       what changed between two saved 'ring inspect --output json', or since one

      Who does not answer within two seconds is named; nothing waits longer. Docs/commands.md has each with its output.
      """,
    subcommands: [
      RingInspectCommand.self, RingOwnerCommand.self, RingExplainCommand.self, RingSimulateCommand.self,
      RingCheckCommand.self, RingFixCommand.self, RingForgetCommand.self, RingDiffCommand.self,
    ])
}

func nobodyEverJoined(_ directory: RedisDirectory) -> Failure {
  Failure("cluster \(directory.cluster) has no members: nobody ever joined it; is its name right (--cluster, --redis)?")
}

func checkedUser(_ text: String) throws -> UserID {
  do {
    return try UserID(text)
  } catch {
    throw ValidationError(error.message)
  }
}

/// How long pods may take to answer.
struct FleetOptions: ParsableArguments {
  @Option(
    name: .customLong("pod-timeout"),
    help: ArgumentHelp("Seconds that a pod may take to answer; who takes longer is named.", valueName: "SECONDS"))
  var seconds = 2.0

  func validate() throws {
    guard (0.1...60).contains(seconds) else { throw ValidationError("--pod-timeout must be from 0.1 to 60 seconds") }
  }

  var timeout: Duration { .milliseconds(Int64(seconds * 1_000)) }
}

struct RingOwnerCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "owner",
    abstract: "Show which pod owns a user, and who would be next.",
    discussion: """
      The ring's arithmetic alone: no pod is asked, no session looked up. 'ring explain' does both.

      Examples:
        pushring ring owner alice --redis redis://127.0.0.1:6379
        pushring ring owner alice --output svg > alice.svg

      Exit codes: 0 somebody owns it, 1 no member is active, or an error.
      """)

  @Argument(help: ArgumentHelp("The user's id.", valueName: "USER"))
  var user: String
  @Option(name: .long, help: ArgumentHelp("How many successors to show.", valueName: "N"))
  var successors = 2
  @OptionGroup var printing: PictureOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    let user = try checkedUser(user)
    let access = try registryAccess("ring")
    let isPicture = printing.output == .svg
    let (window, status) = try await access.use { directory in
      (try await directory.window(), isPicture ? try await directory.memberStatus() : [])
    }
    guard let window else { throw nobodyEverJoined(access.directory) }
    let report = OwnerReport(user: user, view: window.current, successors: max(0, min(successors, 1_000)))
    switch printing.output {
    case .table: printData(report.text(printing.palette))
    case .json: printData(try reportJSON(report))
    case .svg:
      let cluster = ClusterReport(cluster: access.directory.cluster.text, window: window, status: status)
      printData(RingPicture(report: cluster, view: window.current, user: report).svg)
    }
    if report.owner == nil { throw ExitCode(1) }
  }
}
