internal import ArgumentParser
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Settings

struct PodCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pod",
    abstract: "Take a pod out of the ring, empty it, bring it back, or change its weight.",
    discussion: """
      Orders are of a pod id: they hold for its next process too, until they are taken back.
        pushring pod cordon push-3      out of the ring: takes no sessions, keeps those it has
        pushring pod drain push-3       out of the ring, and its sessions move to their new owners
        pushring pod uncordon push-3    in the ring again
        pushring pod weight push-3 4    four times the part of a pod of weight 1; 'own' for what it was started with
      """,
    subcommands: [
      PodCordonCommand.self, PodUncordonCommand.self, PodDrainCommand.self, PodWeightCommand.self,
    ])
}

/// What all of them are given.
struct PodOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("The pod's id, as 'ring inspect' shows it.", valueName: "POD"))
  var pod: String
  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  /// Shows what holds now, and `sentence` where people read.
  func order(
    _ settings: SettingValues, weight: Int? = nil, state: PodOrderState? = nil, sentence: String,
    then body: @escaping @Sendable (RedisDirectory) async throws -> Void = { _ in }
  ) async throws {
    let pod = pod
    let access = try RegistryAccess(settings, logger: try Logger("pod", settings, minimum: .error))
    let report = try await access.use { directory in
      guard let orders = try await directory.order(pod: pod, weight: weight, state: state) else {
        throw try await unknown(pod, directory)
      }
      try await body(directory)
      return PodOrderReport(cluster: directory.cluster.text, pod: pod, order: orders.order(for: pod))
    }
    try printing.show(report) { _ in sentence + "\n" }
  }
}

/// What is ordered for a pod.
private struct PodOrderReport: Encodable, Sendable {
  let cluster: String
  let pod: String
  let state: String
  /// Nil: its own.
  let weight: Int?

  init(cluster: String, pod: String, order: PodOrder?) {
    self.cluster = cluster
    self.pod = pod
    state = (order?.state ?? .active).rawValue
    weight = order?.weight
  }
}

private func unknown(_ pod: String, _ directory: RedisDirectory) async throws -> Failure {
  guard let view = try await directory.window()?.current else { return nobodyEverJoined(directory) }
  let known = view.members.map(\.podID).sorted().joined(separator: ", ")
  return Failure(
    "no member of cluster \(directory.cluster) is pod \(pod), and there is no order for it; its members: \(known)")
}

struct PodCordonCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "cordon", abstract: "Out of the ring: takes no sessions that others can take, and keeps those it has.",
    discussion: """
      Example:
        pushring pod cordon push-3 --redis redis://127.0.0.1:6379

      Exit codes: 0 ordered, 1 an error.
      """)

  @OptionGroup var options: PodOptions
  var flags: [SettingFlag] { options.flags }

  func run() async throws {
    let sentence = "\(options.pod) is out of the ring; its sessions stay"
    try await options.order(try settings(), state: .cordoned, sentence: sentence)
  }
}

struct PodUncordonCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "uncordon", abstract: "In the ring again, after a cordon or a drain.",
    discussion: """
      Example:
        pushring pod uncordon push-3 --redis redis://127.0.0.1:6379

      Exit codes: 0 ordered, 1 an error.
      """)

  @OptionGroup var options: PodOptions
  var flags: [SettingFlag] { options.flags }

  func run() async throws {
    try await options.order(try settings(), state: .active, sentence: "\(options.pod) is in the ring")
  }
}

struct PodWeightCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "weight",
    abstract: "Change a pod's part of the ring.",
    discussion: """
      'ring simulate --weight POD=W' shows first what it would move.

      Examples:
        pushring pod weight push-3 4 --redis redis://127.0.0.1:6379
        pushring pod weight push-3 own

      Exit codes: 0 ordered, 1 an error.
      """)

  @OptionGroup var options: PodOptions
  @Argument(help: ArgumentHelp("1 to 100, or 'own' for the weight that it was started with.", valueName: "W"))
  var weight: String
  var flags: [SettingFlag] { options.flags }

  func run() async throws {
    let number = weight == "own" ? 0 : Int(weight)
    guard let number, weight == "own" || (1...100).contains(number) else {
      throw ValidationError("the weight must be a whole number from 1 to 100, or own; it is \"\(weight)\"")
    }
    let sentence = "\(options.pod) has \(number == 0 ? "its own weight again" : "weight \(number)")"
    try await options.order(try settings(), weight: number, sentence: sentence)
  }
}

struct PodDrainCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "drain",
    abstract: "Out of the ring, and its sessions move away; returns when none is left.",
    discussion: """
      The process goes on, empty; stop it, or bring it back with 'pod uncordon'. Sessions whose clients can't move stay until
      the process is stopped.

      Example:
        pushring pod drain push-3 --redis redis://127.0.0.1:6379 --timeout 600

      Exit codes: 0 it is empty, 1 an error or the time is over.
      """)

  @OptionGroup var options: PodOptions
  @Option(
    name: .long, help: ArgumentHelp("Give up waiting after so many seconds; the drain goes on.", valueName: "SECONDS"))
  var timeout = 300
  var flags: [SettingFlag] { options.flags }

  func validate() throws {
    guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout must be from 1 to 86400 seconds") }
  }

  func run() async throws {
    let (pod, deadline) = (options.pod, ContinuousClock.now + .seconds(timeout))
    try await options.order(try settings(), state: .drained, sentence: "\(pod) is empty") { directory in
      var last = -1
      // What the pod says of itself comes with its renewals; the first one after the order may be from before it.
      while true {
        let members = try await directory.memberStatus().filter { $0.member.podID == pod }
        let left = members.reduce(0) { $0 + $1.load.sessions }
        if left == 0 { return }
        if left != last { printProgress("\(pod): \(left) sessions left") }
        last = left
        guard ContinuousClock.now < deadline else {
          throw Failure(
            "\(pod) still has \(left) sessions; it goes on. 'rebalance plan --pod \(pod)' tells why they stay")
        }
        try await Task.sleep(for: .milliseconds(500))
      }
    }
  }
}
