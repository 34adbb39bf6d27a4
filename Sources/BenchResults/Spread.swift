/// How far repetitions of one figure lie apart.
public struct Spread: Codable, Hashable, Sendable {
  public let median: Double
  public let least: Double
  public let most: Double
  /// Half the width of the 95 % confidence interval of the mean, by Student's t; nil for fewer than two values.
  public let halfInterval: Double?
  public let values: [Double]

  /// - Parameter values: at least one.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    self.values = values
    least = sorted[0]
    most = sorted[sorted.count - 1]
    median = Self.median(ofSorted: sorted)
    halfInterval = values.count < 2 ? nil : studentT(values.count - 1) * standardError(values)
  }

  private static func median(ofSorted sorted: [Double]) -> Double {
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

func variance(_ values: [Double]) -> Double {
  let mean = mean(values)
  return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
}

func standardError(_ values: [Double]) -> Double { (variance(values) / Double(values.count)).squareRoot() }

/// The two-sided 95 % quantile of Student's t distribution, from the usual table; between its rows the wider one.
func studentT(_ degreesOfFreedom: Int) -> Double {
  let table: [(Int, Double)] = [
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365), (8, 2.306), (9, 2.262),
    (10, 2.228), (12, 2.179), (15, 2.131), (20, 2.086), (30, 2.042), (60, 2.000), (120, 1.980),
  ]
  return table.last { $0.0 <= max(degreesOfFreedom, 1) }?.1 ?? 12.706
}
