import Foundation
import Simulation
import Testing

/// The protocol under a virtual clock and a hostile network. `scripts/test` runs thousands of schedules more by
/// `pushring simulate`.
@Suite struct SimulationTests {
  private let brief: SimulationOptions = {
    var options = SimulationOptions()
    options.steps = 600
    return options
  }()

  @Test func noScheduleBreaksAPromise() {
    for seed: UInt64 in 1...60 {
      let result = Simulation.run(seed: seed, brief)
      #expect(result.violation == nil, "\(Simulation.report(result, brief))")
    }
  }

  @Test func schedulesAreNotIdle() {
    let results = (1...20).map { Simulation.run(seed: $0, brief) }
    #expect(results.reduce(0) { $0 + $1.claims } > 100)
    #expect(results.reduce(0) { $0 + $1.completePushes } > 50)
  }

  @Test func oneSeedIsOneSchedule() {
    for seed: UInt64 in [1, 2, 77] {
      #expect(Simulation.run(seed: seed, brief).digest == Simulation.run(seed: seed, brief).digest)
    }
    #expect(Simulation.run(seed: 1, brief).digest != Simulation.run(seed: 2, brief).digest)
  }

  /// A checker that finds nothing could as well not look.
  @Test(arguments: BrokenRule.allCases)
  func aRuleThatIsLeftOutIsFoundOut(rule: BrokenRule) throws {
    var options = SimulationOptions()
    options.without = [rule]
    let seed = try #require(Self.seeds[rule], "no seed is known that finds \(rule.rawValue) out")
    let result = Simulation.run(seed: seed, options)
    #expect(result.violation != nil, "\(rule.rawValue), seed \(seed)")
    let report = Simulation.report(result, options)
    #expect(report.contains("--first \(seed)") && report.contains("--without \(rule.rawValue)"))
  }

  @Test func theDocumentationHasTheSeedsOfTheRarerRules() throws {
    let document = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Docs/placement.md")
    let words = try String(contentsOf: document, encoding: .utf8).split(whereSeparator: \.isWhitespace)
      .joined(separator: " ")
    for (rule, seed) in Self.seeds where seed > 100 {
      #expect(words.contains("`\(rule.rawValue)` \(seed)"), "\(rule.rawValue)")
    }
  }

  /// The first seed that finds each rule out, by `pushring simulate --without RULE`.
  private static let seeds: [BrokenRule: UInt64] = [
    .admit: 22, .acknowledge: 3, .claimLease: 11, .claimStrays: 1, .grace: 5, .leaseFromReply: 372, .order: 8,
    .since: 205, .barrier: 1, .settledOwner: 9, .staleAcknowledgement: 1187, .settledUnsaid: 392,
    .restoreProvisional: 23, .claimUntilLeave: 1350, .lostResume: 475, .recoveringRecords: 14,
  ]
}
