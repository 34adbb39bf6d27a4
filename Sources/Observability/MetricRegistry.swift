public import CoreMetrics
internal import Logging
internal import Synchronization

/// Where swift-metrics' handlers come from, and what `/metrics` shows.
public final class MetricRegistry: MetricsFactory {
  /// Seconds: from 100 µs, what a push in one data centre takes, to the longest time-out.
  static let timerBounds: [Double] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
  ]
  /// Counts and sizes: powers of four.
  static let recorderBounds: [Double] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]

  private struct Family {
    let type: MetricType
    var series: [MetricLabels: any MetricSeries] = [:]
  }

  private let families = Mutex<[String: Family]>([:])
  private let maximumSeriesPerFamily: Int

  public init(maximumSeriesPerFamily: Int = 200) {
    self.maximumSeriesPerFamily = maximumSeriesPerFamily
  }

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    series(named: counterName(label), .counter, dimensions) { CounterSeries() }
  }

  public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler
  {
    series(named: counterName(label), .counter, dimensions) { CounterSeries() }
  }

  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    series(named: metricName(label), .gauge, dimensions) { GaugeSeries() }
  }

  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    guard aggregate else { return series(named: metricName(label), .gauge, dimensions) { GaugeSeries() } }
    return series(named: metricName(label), .histogram, dimensions) { HistogramSeries(bounds: Self.recorderBounds) }
  }

  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    series(named: timerName(label), .histogram, dimensions) { HistogramSeries(bounds: Self.timerBounds) }
  }

  // A series outlives its handler: a counter that is made anew for each use must not start at zero each time.
  public func destroyCounter(_ handler: any CounterHandler) {}
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
  public func destroyMeter(_ handler: any MeterHandler) {}
  public func destroyRecorder(_ handler: any RecorderHandler) {}
  public func destroyTimer(_ handler: any TimerHandler) {}

  /// All families by name, each series by its labels.
  func snapshot() -> [(name: String, type: MetricType, series: [(MetricLabels, [MetricSample])])] {
    families.withLock { $0 }
      .sorted { $0.key < $1.key }
      .map { name, family in
        let series = family.series.map { ($0.key, $0.value.samples()) }
        return (name, family.type, series.sorted { $0.0.pairs.lexicographicallyPrecedes($1.0.pairs, by: precedes) })
      }
  }

  private func series<Series: MetricSeries>(
    named name: String, _ type: MetricType, _ dimensions: [(String, String)], make: () -> Series
  ) -> Series {
    families.withLock { families in
      var family = families[name] ?? Family(type: type)
      // A name that is already used for another type: a mistake in the program that must not break the scrape.
      guard family.type == type else { return make() }
      var labels = MetricLabels(dimensions)
      if family.series[labels] == nil, family.series.count >= maximumSeriesPerFamily { labels = .overflow }
      if let known = family.series[labels] as? Series { return known }
      let made = make()
      family.series[labels] = made
      families[name] = family
      return made
    }
  }
}

private func precedes(_ left: MetricLabel, _ right: MetricLabel) -> Bool {
  (left.name, left.value) < (right.name, right.value)
}

/// Counters end in "_total", by Prometheus' convention.
private func counterName(_ label: String) -> String {
  let name = metricName(label)
  return name.hasSuffix("_total") ? name : name + "_total"
}

/// Timers are exposed in seconds, and say so.
private func timerName(_ label: String) -> String {
  let name = metricName(label)
  return name.hasSuffix("_seconds") ? name : name + "_seconds"
}
