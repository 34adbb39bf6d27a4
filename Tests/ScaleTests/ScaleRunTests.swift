import Foundation
import Scale
import Testing

@Suite struct ScaleRunTests {
  @Test func aSizeGivesAllEventsAndItsJSONReadsBack() throws {
    let run = ScaleRun(
      costs: .recorded, assumptions: ScaleAssumptions(), seed: 1, rehearsedSessions: 5_000,
      instruments: Instruments(now: { .zero }, allocatedBytes: { 0 }), bytesOfReport: { 60 + 9 * $0 })
    let size = try run.size(pods: 6, sessions: 9_000)
    let breaks = run.breakingPoints(sessionsPerPod: 1_500, viewBuildSecondsPerPod: 0.0001)
    #expect(size.events.map(\.event) == ScaleEvent.allCases)
    #expect(size.fewestSessionsOfAPod <= 1_500 && size.mostSessionsOfAPod >= 1_500)
    #expect(size.limits.map(\.ratio) == size.limits.map(\.ratio).sorted(by: >))
    #expect(breaks.map(\.pods) == breaks.map(\.pods).sorted())
    let report = ScaleReport(
      machine: "a test", command: "scale", seed: 1, seconds: 0, assumptions: run.assumptions, costs: run.costs,
      sizes: [size], breaks: breaks)
    let read = try JSONDecoder().decode(ScaleReport.self, from: JSONEncoder().encode(report))
    #expect(read.breaks == breaks)
    #expect(read.sizes.first?.registry == size.registry)
    #expect(read.sizes.first?.events.map(\.messages) == size.events.map(\.messages))
    #expect(read.costs == .recorded)
  }
}
