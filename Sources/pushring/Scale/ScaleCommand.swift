internal import ArgumentParser
internal import BenchResults
internal import CMalloc
internal import Foundation
internal import Placement
internal import Scale
internal import SwiftProtobuf
internal import Wire

/// Clusters too large for any machine at hand, on the real ring and placement: what an event moves, what it takes to
/// settle, what Redis and each pod have to bear, and what breaks first.
struct ScaleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale",
    abstract: "Simulate clusters up to 10,000 pods and 100 million sessions, without sockets.",
    discussion: """
      Sessions are 64-bit hashes on the real ring; pods are values with the real placement. What Redis takes is arithmetic on \
      measured costs: those of --redis, measured now, or those kept in the program, from such a run.

        pushring scale --short
        pushring scale --sizes 50:2000000 --output json
        pushring scale --redis redis://127.0.0.1:6399

      Give a Redis that serves nothing else: its statistics are reset, and tell nothing when others use it. A cluster of a name \
      of its own is written to it, and cleared afterwards. Docs/scale.md has the figures of a whole run.
      """)

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Clusters, as PODS:SESSIONS, of 3 to 60,000 pods and 1 to 1,000,000,000 sessions.", valueName: "pods:sessions"))
  var sizes: [ClusterSize] = []
  @Flag(help: "A few small clusters instead of the standard ones.") var short = false
  @Option(help: "Measure what Redis takes on this one: redis://HOST:PORT.") var redis: String?
  @Option(help: "Sessions that connect per second, over all pods.") var connectRate = 5_000.0
  @Option(help: "Senders per pod; there are at least two.") var sendersPerPod = 0.1
  @Option(help: "Memory of the machine that Redis runs on, in GiB.") var redisMemory = 64.0
  @Option(help: "Network of the machine that Redis runs on, in Gbit/s.") var network = 10.0
  @Option(help: "Redis' maxclients.") var maxclients = 10_000
  @Option(help: "How many sessions the pods have whose placement is really run, at each event.")
  var rehearsed = 3_000_000
  @Option(help: "Of the sessions' hashes.") var seed: UInt64 = 1
  @Option(help: "table or json.") var output = OutputFormat.table

  private static let standard = [
    "10:100000", "10:10000000", "100:1000000", "1000:10000000", "3000:30000000", "10000:100000000",
  ]
  private static let shortened = ["10:100000", "100:1000000", "1000:1000000"]

  func validate() throws {
    guard connectRate > 0, sendersPerPod >= 0, redisMemory > 0, network > 0, maxclients > 0, rehearsed > 0 else {
      throw ValidationError("rates, memory, network, --maxclients and --rehearsed must be more than 0")
    }
    guard !short || sizes.isEmpty else { throw ValidationError("give --short or --sizes") }
  }

  func run() async throws {
    let clock = ContinuousClock()
    let start = clock.now
    var costs = RegistryCosts.recorded
    if let redis { costs = try await RegistryMeasurement(redis: redis).measure() }
    let run = ScaleRun(
      costs: costs, assumptions: assumptions, seed: seed, rehearsedSessions: rehearsed,
      instruments: Instruments(now: Self.cpuTime, allocatedBytes: { Int(allocated_bytes()) }),
      bytesOfReport: Self.bytesOfReport)
    var reports: [SizeReport] = []
    for size in chosen {
      printProgress("\(size.pods) pods, \(size.sessions) sessions")
      reports.append(try run.size(pods: size.pods, sessions: size.sessions))
    }
    let report = ScaleReport(
      machine: Self.machine, command: CommandLine.arguments.dropFirst().joined(separator: " "), seed: seed,
      seconds: start.duration(to: clock.now) / .seconds(1), assumptions: assumptions, costs: costs, sizes: reports,
      breaks: breaks(run, reports))
    switch output {
    case .table: printData(report.text)
    case .json:
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      printData(String(decoding: try encoder.encode(report), as: UTF8.self) + "\n")
    }
  }

  private var chosen: [ClusterSize] {
    guard sizes.isEmpty else { return sizes }
    return (short ? Self.shortened : Self.standard).compactMap { ClusterSize(argument: $0) }
  }

  private var assumptions: ScaleAssumptions {
    var assumptions = ScaleAssumptions()
    assumptions.connectRate = connectRate
    assumptions.sendersPerPod = sendersPerPod
    assumptions.redisMemoryBytes = redisMemory * 1_073_741_824
    assumptions.networkBytesPerSecond = network * 125_000_000
    assumptions.maxclients = maxclients
    return assumptions
  }

  /// At the sessions per pod of the largest cluster, and a ring's time as there.
  private func breaks(_ run: ScaleRun, _ reports: [SizeReport]) -> [BreakingPoint] {
    guard let largest = reports.max(by: { $0.pods < $1.pods }) else { return [] }
    return run.breakingPoints(
      sessionsPerPod: max(1, largest.sessions / largest.pods),
      viewBuildSecondsPerPod: largest.pod.viewBuildSeconds / Double(largest.pods))
  }

  /// Of this process, which does one thing at a time; other programs' work is not in it.
  private static func cpuTime() -> Duration { .microseconds(clock()) }

  /// As pods send it.
  private static func bytesOfReport(entries: Int) -> Int {
    let stamp = ViewStamp(version: 1_000, digest: .max)
    var report = Pushring_V1_StrayReport()
    report.window = Pushring_V1_ViewWindow(WindowStamps(settled: stamp, current: stamp))
    (report.reporter, report.owner) = (1_767_000_000_000_001, 1_767_000_000_000_002)
    (report.series, report.firstNumber, report.startsOver) = (1, 1, true)
    report.userHashes = Array(repeating: .max, count: entries)
    report.retractions = Array(repeating: false, count: entries)
    return ((try? report.serializedBytes()) as [UInt8]?)?.count ?? 0
  }

  private static var machine: String {
    let machine = ProcessProbe.machine
    return "\(machine.cores) cores of \(machine.processor), \(machine.memoryBytes >> 30) GiB, Linux \(machine.kernel)"
  }
}

struct ClusterSize: ExpressibleByArgument, Sendable {
  let pods: Int
  let sessions: Int

  /// Three pods at least, so that each zone has one; no more than a ring has room for.
  init?(argument: String) {
    let parts = argument.split(separator: ":").map { Int($0) }
    guard parts.count == 2, let pods = parts[0], let sessions = parts[1], (3...60_000).contains(pods),
      (1...1_000_000_000).contains(sessions)
    else { return nil }
    (self.pods, self.sessions) = (pods, sessions)
  }
}
