internal import CoreMetrics
internal import Synchronization

/// One time series; the handler that swift-metrics writes to.
protocol MetricSeries: AnyObject, Sendable {
  /// Lines of the exposition, each a name's ending, further labels, and the value.
  func samples() -> [MetricSample]
}

struct MetricSample: Sendable, Hashable {
  /// "_bucket", "_sum", "_count", or nothing.
  let ending: String
  let extraLabel: MetricLabel?
  let value: Double

  init(_ value: Double, ending: String = "", extraLabel: MetricLabel? = nil) {
    self.value = value
    self.ending = ending
    self.extraLabel = extraLabel
  }
}

/// Only goes up. Whole amounts are kept exactly.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
  private let value = Mutex(0.0)

  func increment(by amount: Int64) { increment(by: Double(amount)) }

  func increment(by amount: Double) {
    guard amount > 0 else { return }
    value.withLock { $0 += amount }
  }

  func reset() { value.withLock { $0 = 0 } }
  func samples() -> [MetricSample] { [MetricSample(value.withLock { $0 })] }
}

/// The newest value.
final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
  private let value = Mutex(0.0)

  func set(_ newValue: Int64) { set(Double(newValue)) }
  func set(_ newValue: Double) { value.withLock { $0 = newValue } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }
  func record(_ newValue: Int64) { set(Double(newValue)) }
  func record(_ newValue: Double) { set(newValue) }
  func samples() -> [MetricSample] { [MetricSample(value.withLock { $0 })] }
}

/// How often values fell into each bucket, their sum and number. Timers are in seconds, as Prometheus wants them.
final class HistogramSeries: MetricSeries, TimerHandler, RecorderHandler {
  /// Upper bounds of the buckets, ascending, without the infinite one.
  let bounds: [Double]
  private let state: Mutex<State>

  private struct State {
    /// One more than bounds: the last is for what is above all of them.
    var counts: [UInt64]
    var sum = 0.0
  }

  init(bounds: [Double]) {
    self.bounds = bounds
    state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock {
      $0.counts[bucket] += 1
      $0.sum += value
    }
  }

  func samples() -> [MetricSample] {
    let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
    var total: UInt64 = 0
    var samples: [MetricSample] = []
    for (index, count) in counts.enumerated() {
      total += count
      let bound = index < bounds.count ? exposed(bounds[index]) : "+Inf"
      samples.append(MetricSample(Double(total), ending: "_bucket", extraLabel: MetricLabel(name: "le", value: bound)))
    }
    return samples + [MetricSample(sum, ending: "_sum"), MetricSample(Double(total), ending: "_count")]
  }
}
