internal import Administration
internal import ArgumentParser
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Settings

struct RebalanceStatusCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show how far the rebalance is that is under way, or how the last one ended.",
    discussion: """
      Examples:
        pushring rebalance status --redis redis://127.0.0.1:6379
        pushring rebalance status --output json | jq .state

      Exit codes: 0 there is or was one, 1 there was none yet, 2 an error.
      """)

  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    try await endingWith2 {
      let access = try registryAccess("rebalance")
      let report = try await access.use { directory in
        RebalanceReport(
          cluster: directory.cluster.text, job: try await directory.rebalance(),
          view: try await directory.window()?.current)
      }
      try printing.show(report) { _ in report.table }
      if report.state == "none" { throw ExitCode(1) }
    }
  }
}

struct RebalanceStopCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "End the rebalance that is under way: moves under way end, no others begin.",
    discussion: """
      Example:
        pushring rebalance stop --redis redis://127.0.0.1:6379

      Exit codes: 0 it has ended, 1 none is under way, 2 an error.
      """)

  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    try await endingWith2 {
      let access = try registryAccess("rebalance")
      let report = try await access.use { directory -> RebalanceReport? in
        guard let job = try await directory.rebalance(), !job.state.isOver else { return nil }
        _ = try await directory.stopRebalance(id: job.id)
        return try await RebalanceProgress(directory).follow(job.id)
      }
      guard let report else {
        printProgress("no rebalance is under way")
        try printing.showNothing(cluster: access.directory.cluster.text)
        throw ExitCode(1)
      }
      try printing.show(report) { _ in report.table }
    }
  }
}

struct RebalanceHomingCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "homing",
    abstract: "Whether pods bring strays home by themselves, slowly: on or off for the whole cluster.",
    discussion: """
      Example:
        pushring rebalance homing off --redis redis://127.0.0.1:6379

      Exit codes: 0 ordered, 2 an error.
      """)

  enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

  @Argument(help: "on or off.")
  var homing: Switch
  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    try await endingWith2 {
      let access = try registryAccess("rebalance")
      let isOn = homing == .on
      let orders = try await access.use { try await $0.order(homing: isOn) }
      guard orders != nil else { throw nobodyEverJoined(access.directory) }
      try printing.show(HomingReport(cluster: access.directory.cluster.text, homing: isOn)) { _ in
        (isOn ? "pods bring strays home" : "strays stay where they are until homing is on again") + "\n"
      }
    }
  }
}

private struct HomingReport: Encodable {
  let cluster: String
  let homing: Bool
}
