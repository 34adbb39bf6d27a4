internal import ArgumentParser
internal import Foundation

/// How the alternatives are called that a team would weigh.
enum BenchStrategy: String, ExpressibleByArgument, CaseIterable, Sendable {
  case ring
  case directory
  case directoryGrouped = "directory-grouped"
  case modulo
}

enum PushMode: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// One stream to the Sender that carries all pushes.
  case stream
  /// A call for each push.
  case unary
  /// PushMany: `--fan-out` users in each call.
  case many
  /// Batches of `--fan-out` pushes straight to the pods, without a Sender.
  case deliver
}

/// What all workloads have in common.
struct BenchOptions: ParsableArguments {
  @Option(help: "Pods of the cluster that is started for this.") var pods = 3
  @Option(help: "Sessions, over all users.") var sessions = 1_000
  @Option(help: ArgumentHelp("How long to measure, each time.", valueName: "seconds")) var duration = 10.0
  @Option(help: ArgumentHelp("Before it, not measured.", valueName: "seconds")) var warmUp = 2.0
  @Option(name: .customLong("repeat"), help: "How often to measure; the figures are medians.") var repetitions = 3
  @Option(help: "Sessions of each user.") var sessionsPerUser = 1
  @Option(help: ArgumentHelp("Share of the sessions that are not on their user's owner.", valueName: "0…1"))
  var strays = 0.0
  @Option(help: "How pushes find sessions: \(BenchStrategy.allCases.map(\.rawValue).joined(separator: ", ")).")
  var strategy = BenchStrategy.ring
  @Option(help: ArgumentHelp("Pushes per second, open loop; 0: closed loop, as fast as it goes.", valueName: "N"))
  var rate = 0.0
  @Option(help: "Pushes under way at once, closed loop.") var concurrency = 64
  @Option(help: ArgumentHelp("A message's payload.", valueName: "bytes")) var size = 200
  @Option(help: "How pushes go: stream, unary, many (through the Sender); deliver (to the pods, in batches).")
  var mode = PushMode.stream
  @Option(help: "Users in each call with --mode many, pushes in each batch with --mode deliver.") var fanOut = 10
  @Option(help: ArgumentHelp("Skew of the users' popularity (Zipf); 0: all alike.", valueName: "s")) var zipf = 0.0
  @Option(help: ArgumentHelp("Connects per second; 0: all at once.", valueName: "N")) var connectRate = 0.0
  @Option(help: ArgumentHelp("Sessions that go and come back per second.", valueName: "N")) var churn = 0.0
  @Option(help: ArgumentHelp("Moves per second of a rebalance.", valueName: "N")) var moveRate = 100.0
  @Option(help: "Of all chance.") var seed: UInt64 = 1
  @Option(help: "Processes that hold the clients; 0: as many as descriptors and ports need.") var loadProcesses = 0
  @Option(
    name: .customLong("pod-cpus"),
    help: ArgumentHelp(
      "Cores for the pods, as taskset takes them; start the bench itself under taskset for the rest.",
      valueName: "LIST"))
  var podCPUs: String?
  @Option(help: "The Redis server to start.") var redisServer = "redis-server"
  @Option(help: ArgumentHelp("A Redis that runs, instead of a private one.", valueName: "URL")) var redis: String?
  @Option(help: ArgumentHelp("A Sender that runs (with --endpoint): nothing is started.", valueName: "HOST:PORT"))
  var sender: String?
  @Option(help: ArgumentHelp("Pods that run.", valueName: "HOST:PORT[,…]")) var endpoint: String?
  @Option(
    help: ArgumentHelp(
      "Let the clients overlook every so manyth message, to see that it is noticed.", visibility: .hidden))
  var dropEvery = 0
  @Option(help: "How to print: table or json.") var output: OutputFormat = .table
  @Option(help: ArgumentHelp("Also write the JSON there.", valueName: "FILE")) var out: String?

  func validate() throws {
    func demand(_ isRight: Bool, _ message: String) throws { if !isRight { throw ValidationError(message) } }
    try demand((1...50).contains(pods), "--pods must be 1 to 50")
    try demand((1...1_000_000).contains(sessions), "--sessions must be 1 to 1,000,000")
    try demand((1...64).contains(sessionsPerUser), "--sessions-per-user must be 1 to 64")
    try demand(duration > 0 && duration <= 3_600, "--duration must be up to 3600 seconds")
    try demand(warmUp >= 0 && warmUp <= 600, "--warm-up must be 0 to 600 seconds")
    try demand((1...100).contains(repetitions), "--repeat must be 1 to 100")
    try demand((0...1).contains(strays), "--strays must be a share from 0 to 1")
    try demand(rate >= 0 && rate <= 1_000_000, "--rate must be 0 to 1,000,000")
    try demand((1...10_000).contains(concurrency), "--concurrency must be 1 to 10,000")
    try demand((16...262_144).contains(size), "--size must be 16 to 262144 bytes")
    try demand((1...1_000).contains(fanOut), "--fan-out must be 1 to 1000")
    try demand((0...5).contains(zipf), "--zipf must be 0 to 5")
    try demand(connectRate >= 0 && churn >= 0, "--connect-rate and --churn must be 0 or more")
    try demand(moveRate > 0 && moveRate <= 100_000, "--move-rate must be above 0 and up to 100,000")
    try demand((0...64).contains(loadProcesses), "--load-processes must be 0 to 64")
    try demand((sender == nil) == (endpoint == nil), "--sender and --endpoint belong together")
    try demand(sender == nil || redis == nil, "--redis is for a cluster that is started; leave it out with --sender")
  }

  /// Of those that tell what a result means, by flag.
  var described: [String: String] {
    [
      "pods": "\(pods)", "sessions": "\(sessions)", "duration": "\(duration)", "warm-up": "\(warmUp)",
      "repeat": "\(repetitions)", "sessions-per-user": "\(sessionsPerUser)", "strays": "\(strays)", "rate": "\(rate)",
      "concurrency": "\(concurrency)", "size": "\(size)", "mode": mode.rawValue, "fan-out": "\(fanOut)",
      "zipf": "\(zipf)",
      "connect-rate": "\(connectRate)", "churn": "\(churn)", "move-rate": "\(moveRate)", "pod-cpus": podCPUs ?? "all",
    ]
  }

  /// What the pushes of a run are like.
  struct PushSettings: Sendable {
    var rate: Double
    var concurrency: Int
    var size: Int
    var mode: PushMode
    var fanOut: Int
    var zipf: Double
    var strategy: BenchStrategy
  }

  var pushes: PushSettings {
    PushSettings(
      rate: rate, concurrency: concurrency, size: size, mode: mode, fanOut: fanOut, zipf: zipf, strategy: strategy)
  }
}
