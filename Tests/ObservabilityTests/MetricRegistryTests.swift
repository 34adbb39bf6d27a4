import CoreMetrics
import Testing

@testable import Observability

struct MetricRegistryTests {
  @Test func aCounterIsExposedWithItsTypeAndEndsInTotal() {
    let registry = MetricRegistry()
    let counter = registry.makeCounter(label: "pushring.sender.pushes", dimensions: [("route", "ring")])
    counter.increment(by: 2)
    registry.makeCounter(label: "pushring.sender.pushes", dimensions: [("route", "ring")]).increment(by: 1)
    #expect(
      registry.exposition()
        == "# TYPE pushring_sender_pushes_total counter\npushring_sender_pushes_total{route=\"ring\"} 3\n")
  }

  @Test func aCounterNeverGoesDown() {
    let registry = MetricRegistry()
    let counter = registry.makeCounter(label: "c", dimensions: [])
    counter.increment(by: 5)
    counter.increment(by: -3)
    #expect(registry.exposition().contains("c_total 5\n"))
  }

  @Test func aGaugeShowsItsNewestValue() {
    let registry = MetricRegistry()
    let meter = registry.makeMeter(label: "sessions", dimensions: [])
    meter.set(Int64(7))
    meter.increment(by: 2.5)
    #expect(registry.exposition() == "# TYPE sessions gauge\nsessions 9.5\n")
  }

  @Test func aTimerIsAHistogramInSecondsWithCumulativeBuckets() {
    let registry = MetricRegistry()
    let timer = registry.makeTimer(label: "push", dimensions: [])
    timer.recordNanoseconds(200_000)
    timer.recordNanoseconds(60_000_000_000)
    let lines = registry.exposition().split(separator: "\n")
    #expect(lines.contains("# TYPE push_seconds histogram"))
    #expect(lines.contains("push_seconds_bucket{le=\"0.0001\"} 0"))
    #expect(lines.contains("push_seconds_bucket{le=\"0.00025\"} 1"))
    #expect(lines.contains("push_seconds_bucket{le=\"30\"} 1"))
    #expect(lines.contains("push_seconds_bucket{le=\"+Inf\"} 2"))
    #expect(lines.contains("push_seconds_sum 60.0002"))
    #expect(lines.contains("push_seconds_count 2"))
  }

  @Test func labelValuesAreEscapedAndNamesMadeValid() {
    let registry = MetricRegistry()
    registry.makeCounter(label: "9 lives-x", dimensions: [("a.b", "say \"hi\"\\\n")]).increment(by: 1)
    #expect(registry.exposition().contains(#"_9_lives_x_total{a_b="say \"hi\"\\\n"} 1"#))
  }

  @Test func labelsBeyondTheBoundShareOneOverflowSeries() {
    let registry = MetricRegistry(maximumSeriesPerFamily: 3)
    for user in 0..<1_000 {
      registry.makeCounter(label: "c", dimensions: [("user", "\(user)")]).increment(by: 1)
    }
    let lines = registry.exposition().split(separator: "\n")
    #expect(lines.count == 5)
    #expect(lines.contains("c_total{overflow=\"true\"} 997"))
  }

  @Test func aNameUsedForTwoTypesDoesNotBreakTheScrape() {
    let registry = MetricRegistry()
    registry.makeMeter(label: "x_total", dimensions: []).set(Int64(1))
    registry.makeCounter(label: "x", dimensions: []).increment(by: 1)
    #expect(registry.exposition() == "# TYPE x_total gauge\nx_total 1\n")
  }

  @Test(arguments: [
    (0.1, "0.1"), (3, "3"), (-2, "-2"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (1e20, "1e+20"),
  ])
  func numbersHaveTheFormOfTheFormat(value: Double, text: String) {
    #expect(exposed(value) == text)
  }
}
