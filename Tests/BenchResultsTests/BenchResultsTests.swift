import BenchResults
import Foundation
import Testing

@Suite struct BenchResultsTests {
  private func result(_ workload: String = "push", _ figures: [String: [Double]] = [:]) -> BenchResult {
    var result = BenchResult(
      workload: workload, version: "1", startedAt: "2026-01-01T00:00:00Z", command: "pushring bench \(workload)",
      machine: Machine(cores: 2, processor: "<a & b>", kernel: "6", memoryBytes: 1 << 34), settings: ["sessions": "10"],
      seed: 1)
    for (figure, values) in figures { result.noise[figure] = Spread(values) }
    return result
  }

  @Test func theMedianStandsForTheRepetitions() throws {
    let spread = try #require(Spread([3, 1, 2, 10]))
    #expect((spread.median, spread.least, spread.most) == (2.5, 1, 10))
    #expect(Spread([]) == nil && Spread([5])?.halfInterval == nil)
    // Mean 2, standard error 0.577, t of two degrees of freedom 4.303.
    #expect(abs((Spread([1, 2, 3])?.halfInterval ?? 0) - 2.484) < 0.01)
  }

  @Test func whatAHypervisorTakesIsAShareOfAllCPUTime() throws {
    // The last two are guests of this machine, whose time is in the first two already.
    let before = try #require(CPUTimes("cpu  100 0 50 800 10 0 20 20 90 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n"))
    let after = try #require(CPUTimes("cpu  130 0 60 840 10 0 30 30 190 9\n"))
    #expect(after.stolenShare(since: before) == 0.1)
    #expect(before.stolenShare(since: before) == nil && before.stolenShare(since: after) == nil)
    for text in ["", "intr 1 2 3", "cpu 1 2 3 4 5 6 7", "cpu 1 2 3 4 5 6 7 x 9 10"] { #expect(CPUTimes(text) == nil) }
  }

  @Test func aRegressionIsLargeAndNotChance() {
    let before = result("push", ["pushesPerSecond": [1_000, 1_010, 990], "latencyP99Ms": [2, 2.1, 1.9]])
    let worse = result("push", ["pushesPerSecond": [700, 710, 690], "latencyP99Ms": [2, 2.05, 2]])
    let comparison = Comparison(before, worse, threshold: 10)
    #expect(comparison.hasRegression)
    #expect(comparison.rows.map(\.verdict) == [.worse, .same])
    #expect(!Comparison(worse, before, threshold: 10).hasRegression)
    #expect(Comparison(worse, before, threshold: 10).rows[0].verdict == .better)
    // As much, but the repetitions lie far apart.
    let noisy = result("push", ["pushesPerSecond": [100, 700, 1_300]])
    #expect(Comparison(before, noisy, threshold: 10).rows[0].verdict == .unclear)
    #expect(!Comparison(before, noisy, threshold: 10).hasRegression)
    // One repetition proves nothing.
    #expect(
      Comparison(result("push", ["pushesPerSecond": [9]]), result("push", ["pushesPerSecond": [1]]), threshold: 10)
        .rows[0].verdict == .unclear)
  }

  @Test func aFirstLostMessageIsARegression() {
    let (before, after) = (result("push", ["lost": [0, 0, 0]]), result("push", ["lost": [3, 3, 3]]))
    #expect(Comparison(before, after, threshold: 10).hasRegression)
  }

  @Test func percentilesComeFromTheHistogram() throws {
    var histogram = LatencyHistogram()
    for value: UInt64 in 1...1_000 { histogram.record(value * 1_000) }
    let percentiles = try #require(histogram.percentiles)
    #expect(abs(percentiles.p50 - 500) < 1 && abs(percentiles.p99 - 990) < 1 && abs(percentiles.max - 1_000) < 1)
    #expect(LatencyHistogram(pairs: histogram.pairs).percentiles == percentiles)
    #expect(LatencyHistogram().percentiles == nil)
  }

  @Test func aResultComesBackFromItsJSON() throws {
    var result = result("idle", ["userBytesPerSession": [500, 510]])
    result.userBytesPerSession = 505
    result.latencyMs = Percentiles(p50: 1, p90: 2, p99: 3, p999: 4, max: 5)
    result.histograms["latency"] = [[1_000, 5]]
    let decoded = try JSONDecoder().decode(BenchResult.self, from: JSONEncoder().encode(result))
    #expect(decoded.userBytesPerSession == 505 && decoded.latencyMs?.p999 == 4)
    #expect(decoded.noise["userBytesPerSession"] == result.noise["userBytesPerSession"])
  }

  @Test func theReportStandsAlone() {
    var (ring, directory) = (result(), result())
    (ring.strategy, directory.strategy) = ("ring", "directory")
    (ring.rpcsPerPush, directory.rpcsPerPush) = (1, 2)
    ring.histograms["latency"] = [[1_000, 99], [50_000, 1]]
    directory.histograms["latency"] = [[2_000, 100]]
    ring.timeline = (0..<20).map {
      TimelinePoint(second: Double($0) / 10, messages: 100, welcomes: 0, lostStreams: 0, latencyMs: 1)
    }
    ring.marks = [TimelineMark(second: 1, text: "SIGKILL <pod-0>")]
    let html = Report([ring, directory]).html
    #expect(html.contains("<svg") && html.contains("SIGKILL &lt;pod-0&gt;") && html.contains("&lt;a &amp; b&gt;"))
    #expect(!html.contains("http://") || !html.contains("src=\"http"))
    #expect(!html.contains("<script src") && !html.contains("@import"))
    #expect(html.contains("side by side"))
  }

  @Test func numbersAreShortForPeople() {
    #expect(
      [0, 0.1234, 1.234, 12.34, 123.4, 1_234.5, 1_234_567].map(short) == [
        "0", "0.123", "1.23", "12.3", "123", "1,235", "1,234,567",
      ])
  }
}
