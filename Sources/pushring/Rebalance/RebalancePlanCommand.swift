internal import Administration
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Placement
internal import Rebalancing
internal import RedisDirectory
internal import Settings

struct RebalancePlanCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Show what a rebalance would do, by what the pods really hold.",
    discussion: """
      Examples:
        pushring rebalance plan --redis redis://127.0.0.1:6379
        pushring rebalance plan --output json | jq .flows
        pushring rebalance plan --rate 50 --save plan.json && pushring rebalance apply plan.json

      Exit codes: 0 there is something to do, 1 nothing to do, 2 an error.
      """)

  @OptionGroup var options: RebalanceOptions
  @Option(
    name: .long, help: ArgumentHelp("Write the plan to a file, for 'apply FILE'.", valueName: "FILE"),
    completion: .file())
  var save: String?
  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    try await endingWith2 {
      let access = try registryAccess("rebalance")
      let parameters = options.parameters
      let plan = try await access.use { try await makePlan(parameters, $0) }
      try printing.show(plan) { _ in plan.table }
      if let save {
        do {
          try Data(try reportJSON(plan).utf8).write(to: URL(fileURLWithPath: save), options: .atomic)
        } catch {
          throw Failure("the plan could not be written to \(save): \(error.localizedDescription)")
        }
        printProgress("saved to \(save)")
      }
      if plan.planned <= options.threshold { throw ExitCode(1) }
    }
  }
}

func makePlan(_ parameters: RebalanceParameters, _ directory: RedisDirectory) async throws -> RebalancePlan {
  guard let view = try await directory.window()?.current else { throw nobodyEverJoined(directory) }
  if let podID = parameters.podID, !view.members.contains(where: { $0.podID == podID }) {
    let known = view.members.map(\.podID).sorted().joined(separator: ", ")
    throw Failure("no member of cluster \(directory.cluster) is pod \(podID); its members: \(known)")
  }
  // Who is in grace can't be asked to move anybody.
  let askable = view.members.filter { $0.state != .grace }
  let inGrace = view.members.filter { $0.state == .grace }.map(\.podID)
  let plan = await Fleet(askable).plan(
    cluster: directory.cluster.text, view: view, alsoSilent: inGrace, parameters: parameters)
  return plan
}
