internal import ArgumentParser
internal import Foundation
internal import Simulation

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Run the placement protocol under a virtual clock and a hostile network, and look for violations.",
    discussion: """
      Each seed is one schedule: pods that crash, pause, join and leave, a registry that fails over, loses writes and is
      emptied, a network that delays, drops, doubles and partitions, clients that move, Senders that push. After each step
      the promises are checked. The first violation is told as a story, and its seed tells it again.

      Exit codes: 0 no violation, 1 a violation. Example, 1,000 schedules from seed 1 on:
        pushring simulate --seeds 1000
      A story of your own (Tests/SimulationTests/Scenarios has some, Sources/Simulation/Scenario.swift the language):
        pushring simulate --scenario stray-is-known.txt
      Docs/placement.md says what is simulated, and which seeds find the rarer of the rules that --without leaves out.
      """)

  @Option(help: "How many schedules.") var seeds = 1_000
  @Option(help: "The first one's seed.") var first: UInt64 = 1
  @Option(help: "How many steps the faults go on for in each, before all is mended and has to settle.") var steps =
    2_000
  @Option(help: ArgumentHelp("Leave out a rule (repeatable): a violation has to be found. \(Self.rules)"))
  var without: [String] = []
  @Flag(help: "With the default wait after a loss of data, the lease and two renewals, instead of lease and grace.")
  var shortRecoveryWait = false
  @Option(help: "How much of a violation's story is told.") var lines = 40
  @Option(help: ArgumentHelp("Tell what happens in this story instead.", valueName: "file"))
  var scenario: String?
  @Flag(help: "Go on after a violation, and count them by kind.") var all = false

  private static let rules = BrokenRule.allCases.map(\.rawValue).joined(separator: ", ")

  func validate() throws {
    guard seeds > 0, steps > 0, lines > 0 else {
      throw ValidationError("--seeds, --steps and --lines must be 1 or more")
    }
    guard scenario == nil || !all && !shortRecoveryWait else {
      throw ValidationError("--scenario has its own settings; leave out --all and --short-recovery-wait")
    }
    for name in without where BrokenRule(rawValue: name) == nil {
      throw ValidationError("--without: \"\(name)\" is no rule; there are \(Self.rules)")
    }
  }

  func run() throws {
    if let scenario { return try tell(scenario) }
    var options = SimulationOptions()
    options.steps = steps
    options.without = Set(without.compactMap(BrokenRule.init(rawValue:)))
    options.hasLongRecoveryWait = !shortRecoveryWait
    let start = ContinuousClock.now
    var (claims, pushes, complete) = (0, 0, 0)
    var violations: [String: [UInt64]] = [:]
    var runs = 0
    for seed in first..<first + UInt64(seeds) {
      let result = Simulation.run(seed: seed, options)
      runs += 1
      claims += result.claims
      pushes += result.pushes
      complete += result.completePushes
      guard let violation = result.violation else { continue }
      violations[violation.kind.rawValue, default: []].append(seed)
      guard all else {
        printData(Simulation.report(result, options, lines: lines) + "\n")
        break
      }
    }
    for (kind, seeds) in violations.sorted(by: { $0.key < $1.key }) {
      printData(
        "\(kind): \(seeds.count) schedules, of seeds \(seeds.prefix(20).map(String.init).joined(separator: ", "))\n")
    }
    let seconds = start.duration(to: .now) / .seconds(1)
    let violated = violations.values.reduce(0) { $0 + $1.count }
    let rate = Int((Double(runs) / max(seconds, 0.001)).rounded())
    printData(
      "\(runs) schedules of seeds \(first) to \(first + UInt64(runs) - 1), \(claims) claims, \(pushes) pushes, "
        + "\(complete) of them complete, \(violated) violations, in \(Int(seconds)) s: \(rate) schedules per second\n")
    if violated > 0 { throw ExitCode(1) }
  }

  private func tell(_ file: String) throws {
    let scenario: Scenario
    do {
      scenario = try Scenario(String(contentsOf: URL(filePath: file), encoding: .utf8))
    } catch let mistake as Scenario.Mistake {
      throw ValidationError("\(file), \(mistake)")
    } catch {
      throw ValidationError("\(file) can't be read: \(error.localizedDescription)")
    }
    let result = Simulation.run(scenario, without: Set(without.compactMap(BrokenRule.init(rawValue:))))
    for line in result.story { printData("\(line)\n") }
    printData("\(result.violation.map { "\($0)" } ?? "no violation")\n")
    if result.violation != nil { throw ExitCode(1) }
  }
}
