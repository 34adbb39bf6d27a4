internal import Administration
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Sessions
internal import Settings

struct RingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ring", abstract: "Look at the ring.", subcommands: [RingInspectCommand.self, RingOwnerCommand.self])
}

enum RingFormat: String, ExpressibleByArgument, CaseIterable { case table, json, svg }

struct RingInspectCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show the members: state, weight, share of the ring, sessions, strays, lease left.",
    discussion: """
      Examples:
        pushring ring inspect --redis redis://127.0.0.1:6379 --cluster default
        pushring ring inspect --output json | jq .members
        pushring ring inspect --output svg > ring.svg
        pushring ring inspect --watch
      """)

  @Option(name: .long, help: "How to print: table, json or svg.")
  var output: RingFormat = .table
  @Flag(name: .long, help: "Show it again and again, until Ctrl-C.")
  var watch = false
  @Option(name: .long, help: ArgumentHelp("Seconds between two looks with --watch.", valueName: "SECONDS"))
  var interval = 1.0
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func validate() throws {
    guard (0.1...3_600).contains(interval) else { throw ValidationError("--interval must be from 0.1 to 3600 seconds") }
  }

  func run() async throws {
    let settings = try settings()
    let access = try RegistryAccess(settings, logger: try Logger("ring", settings, minimum: .error))
    let isKnown = try await access.use { directory in
      while true {
        let known = try await look(directory)
        // A program gets an object in any case; people get the error below.
        if let known { show(known) } else if watch || output == .json { show(try nobody(directory)) }
        guard watch else { return known != nil }
        try await Task.sleep(for: .seconds(interval))
      }
    }
    if !isKnown { throw nobodyEverJoined(access.directory) }
  }

  private func nobody(_ directory: RedisDirectory) throws -> String {
    try text(ClusterReport(emptyCluster: directory.cluster.text), view: nil)
  }

  /// Nil when nobody ever joined.
  private func look(_ directory: RedisDirectory) async throws -> String? {
    guard let window = try await directory.window() else { return nil }
    let report = ClusterReport(
      cluster: directory.cluster.text, window: window, status: try await directory.memberStatus())
    return try text(report, view: window.current)
  }

  private func text(_ report: ClusterReport, view: View?) throws -> String {
    switch output {
    case .table: return report.table
    case .json: return try reportJSON(report)
    case .svg: return RingPicture(report: report, view: try view ?? View(stamp: .none, members: [])).svg
    }
  }

  private func show(_ text: String) {
    // Home, the text with each line's rest erased, and the rest of the screen erased: nothing flickers.
    let isRedrawn = watch && isTerminal && output == .table
    printData(isRedrawn ? "\u{1b}[H" + text.replacing("\n", with: "\u{1b}[K\n") + "\u{1b}[J" : text)
  }
}

struct RingOwnerCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "owner",
    abstract: "Show which pod owns a user, and who would be next.",
    discussion: """
      Examples:
        pushring ring owner alice --redis redis://127.0.0.1:6379
        pushring ring owner alice --output svg > alice.svg
      """)

  @Argument(help: ArgumentHelp("The user's id.", valueName: "USER"))
  var user: String
  @Option(name: .long, help: ArgumentHelp("How many successors to show.", valueName: "N"))
  var successors = 2
  @Option(name: .long, help: "How to print: table, json or svg.")
  var output: RingFormat = .table
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    let user = try checkedUser(user)
    let settings = try settings()
    let access = try RegistryAccess(settings, logger: try Logger("ring", settings, minimum: .error))
    let (window, status) = try await access.use { directory in
      (try await directory.window(), output == .svg ? try await directory.memberStatus() : [])
    }
    guard let window else { throw nobodyEverJoined(access.directory) }
    let report = OwnerReport(user: user, view: window.current, successors: max(0, min(successors, 1_000)))
    switch output {
    case .table: printData(report.table)
    case .json: printData(try reportJSON(report))
    case .svg:
      let cluster = ClusterReport(cluster: access.directory.cluster.text, window: window, status: status)
      printData(RingPicture(report: cluster, view: window.current, user: report).svg)
    }
    if report.owner == nil { throw ExitCode(1) }
  }
}

private func nobodyEverJoined(_ directory: RedisDirectory) -> Failure {
  Failure("cluster \(directory.cluster) has no members: nobody ever joined it; is its name right (--cluster, --redis)?")
}

func checkedUser(_ text: String) throws -> UserID {
  do {
    return try UserID(text)
  } catch {
    throw ValidationError(error.message)
  }
}
