/// A histogram with a fixed relative precision, small enough to be sent between processes: the bucket layout of
/// HdrHistogram with 256 sub-buckets (two significant digits and a bit), so that it can be added to one without loss.
///
/// Values from 0 to 2^40 (12 days in microseconds); larger ones are counted as that.
public struct LatencyBuckets: Codable, Hashable, Sendable {
  /// Bucket index → count.
  public private(set) var counts: [Int: UInt64] = [:]
  public private(set) var largest: UInt64 = 0

  private static let subBits = 8
  private static let limit: UInt64 = 1 << 40

  public init() {}

  public mutating func record(_ value: UInt64) {
    counts[Self.index(min(value, Self.limit)), default: 0] += 1
    largest = max(largest, value)
  }

  public mutating func add(_ other: LatencyBuckets) {
    for (index, count) in other.counts { counts[index, default: 0] += count }
    largest = max(largest, other.largest)
  }

  public var total: UInt64 { counts.values.reduce(0, +) }

  /// Each value that a bucket stands for (its largest), with its count, in ascending order.
  public var values: [(value: UInt64, count: UInt64)] {
    counts.sorted { $0.key < $1.key }.map { (min(Self.highest($0.key), largest), $0.value) }
  }

  /// The first `256` values have buckets of their own; then each power of two has 128.
  static func index(_ value: UInt64) -> Int {
    let bits = UInt64.bitWidth - value.leadingZeroBitCount
    guard bits > subBits else { return Int(value) }
    let shift = bits - subBits
    return (shift << (subBits - 1)) + Int(value >> UInt64(shift))
  }

  static func highest(_ index: Int) -> UInt64 {
    guard index >= 1 << subBits else { return UInt64(index) }
    let shift = (index >> (subBits - 1)) - 1
    let sub = index - (shift << (subBits - 1))
    return (UInt64(sub + 1) << UInt64(shift)) - 1
  }
}
