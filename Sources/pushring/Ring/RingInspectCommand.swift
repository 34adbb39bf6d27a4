internal import Administration
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Settings

struct RingInspectCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show the members: state, orders, weight, share of the ring, sessions, limit, strays, lease left.",
    discussion: """
      What the pods said with their last renewals, by the registry; no pod is asked. FULL is the part of its limit that a pod
      has sessions of; ORDER is what an operator ordered for it ('pushring pod').

      Examples:
        pushring ring inspect --redis redis://127.0.0.1:6379 --cluster default
        pushring ring inspect --output json | jq .members
        pushring ring inspect --output svg > ring.svg
        pushring ring inspect --watch --interval 5

      Exit codes: 0 shown, 1 nobody ever joined the cluster, or an error.
      """)

  @OptionGroup var printing: PictureOptions
  @Flag(name: .long, help: "Show it again and again, in place on a terminal, until Ctrl-C.")
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
    let access = try registryAccess("ring")
    let isKnown = try await access.use { directory in
      var isFirst = true
      while true {
        let known = try await look(directory)
        // A program gets an object in any case; people get the error below.
        if let known {
          show(known, isFirst: isFirst)
        } else if watch || printing.output == .json {
          show(try nobody(directory), isFirst: isFirst)
        }
        guard watch else { return known != nil }
        isFirst = false
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
    guard let report = try await clusterReport(directory) else { return nil }
    return try text(report.report, view: report.view)
  }

  private func text(_ report: ClusterReport, view: View?) throws -> String {
    switch printing.output {
    case .table: return report.text(printing.palette)
    case .json: return try reportJSON(report)
    case .svg: return RingPicture(report: report, view: try view ?? View(stamp: .none, members: [])).svg
    }
  }

  private func show(_ text: String, isFirst: Bool) {
    // The screen is cleared once. Then home, the text with each line's rest erased, and the rest of the screen erased:
    // nothing flickers, and nothing of a longer table stays.
    let isRedrawn = watch && isTerminal && printing.output == .table
    guard isRedrawn else { return printData(text) }
    printData((isFirst ? "\u{1b}[2J" : "") + "\u{1b}[H" + text.replacing("\n", with: "\u{1b}[K\n") + "\u{1b}[J")
  }
}

/// Nil when nobody ever joined.
func clusterReport(_ directory: RedisDirectory) async throws -> (report: ClusterReport, view: View)? {
  guard let window = try await directory.window() else { return nil }
  let report = ClusterReport(
    cluster: directory.cluster.text, window: window, status: try await directory.memberStatus(),
    orders: try await directory.orders() ?? Orders(), rebalance: try await directory.rebalance())
  return (report, window.current)
}
