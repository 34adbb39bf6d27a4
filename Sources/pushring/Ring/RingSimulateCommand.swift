internal import Administration
internal import ArgumentParser
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Settings

struct RingSimulateCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Show what a change of the ring would do: shares, movement, reconnects, balance.",
    discussion: """
      Every pod counts the sessions that it has now by the ring as it would be. Nothing is changed.

      Examples:
        pushring ring simulate --add pod-3 --redis redis://127.0.0.1:6379
        pushring ring simulate --add pod-3=2 --add pod-4 --remove pod-0
        pushring ring simulate --weight pod-1=4 --output json | jq .reconnects

      --add also brings back a pod that is cordoned, with the weight that it has. Exit codes: 0 shown, 2 an error.
      """)

  @Option(name: .long, help: ArgumentHelp("A pod that joins; of weight 1 unless given.", valueName: "POD[=WEIGHT]"))
  var add: [String] = []
  @Option(name: .long, help: ArgumentHelp("A pod that leaves, or is cordoned.", valueName: "POD"))
  var remove: [String] = []
  @Option(name: .long, help: ArgumentHelp("A pod that gets another weight, 1 to 100.", valueName: "POD=WEIGHT"))
  var weight: [String] = []
  @OptionGroup var printing: OutputOptions
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    let change = RingChange(
      added: try add.map { try pod($0, "--add") }, removed: try remove.map { try pod($0, "--remove").id },
      reweighted: try weight.map { try pod($0, "--weight", needsWeight: true) })
    guard !change.isEmpty else {
      throw ValidationError("say what would change: --add, --remove, --weight; any of them, often")
    }
    let timeout = fleet.timeout
    let report = try await endingWith2 {
      let access = try registryAccess("ring")
      return try await access.use { directory in
        guard let view = try await directory.window()?.current else { throw nobodyEverJoined(directory) }
        return try await RingForecast.gather(
          cluster: directory.cluster.text, view: view, change: change, timeout: timeout)
      }
    }
    try printing.show(report) { report.text($0) }
  }

  private func pod(_ text: String, _ flag: String, needsWeight: Bool = false) throws -> RingChange.Pod {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    do {
      try MemberDescription.check(podID: parts[0])
    } catch {
      throw ValidationError("\(flag): \(error.message)")
    }
    guard parts.count == 2 else {
      if needsWeight { throw ValidationError("\(flag) needs a weight: \(flag) \(text)=2") }
      return RingChange.Pod(id: parts[0])
    }
    guard flag != "--remove", let weight = Int(parts[1]), (1...100).contains(weight) else {
      throw ValidationError("\(flag) \(text): the weight must be a whole number from 1 to 100, where there is one")
    }
    return RingChange.Pod(id: parts[0], weight: weight)
  }
}
