internal import Histogram

/// Values in microseconds, in an HDR histogram with three significant digits.
public struct LatencyHistogram: Sendable {
  private var histogram = Histogram<UInt64>(
    lowestDiscernibleValue: 1, highestTrackableValue: 1 << 40, numberOfSignificantValueDigits: .three)

  public init() {}

  public mutating func record(_ microseconds: UInt64, count: UInt64 = 1) {
    _ = histogram.record(microseconds, count: count)
  }

  public mutating func add(_ other: LatencyHistogram) { histogram.add(other.histogram) }

  public var total: UInt64 { histogram.totalCount }

  /// Nil while nothing is recorded.
  public var percentiles: Percentiles? {
    guard total > 0 else { return nil }
    return Percentiles(p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: Double(histogram.max) / 1_000)
  }

  /// In milliseconds.
  public func at(_ percentile: Double) -> Double { Double(histogram.valueAtPercentile(percentile)) / 1_000 }

  /// Pairs of value and count, for a file.
  public var pairs: [[UInt64]] { histogram.recordedValues().map { [$0.value, $0.count] } }

  public init(pairs: [[UInt64]]) {
    for pair in pairs where pair.count == 2 { record(pair[0], count: pair[1]) }
  }
}
