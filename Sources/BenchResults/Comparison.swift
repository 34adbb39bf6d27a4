/// Two results side by side, figure by figure.
public struct Comparison: Sendable {
  public struct Row: Hashable, Sendable {
    public let figure: String
    public let before: Double
    public let after: Double
    /// Change in per cent of `before`; the 95 % confidence interval by Welch's t where both have two repetitions or more.
    public let change: Double
    public let interval: ClosedRange<Double>?
    public let verdict: Verdict
  }

  public enum Verdict: String, Sendable {
    case better, worse, same
    /// The interval contains "no change", or there is none.
    case unclear
  }

  public let rows: [Row]

  /// - Parameter threshold: in per cent; a smaller change counts as none.
  public init(_ before: BenchResult, _ after: BenchResult, threshold: Double) {
    rows = Self.figures.compactMap { figure, isBetterWhenLarger in
      guard let old = before.noise[figure], let new = after.noise[figure] else { return nil }
      return Self.row(figure, old, new, isBetterWhenLarger, threshold)
    }
  }

  /// A figure has become worse by more than the threshold, and chance does not explain it.
  public var hasRegression: Bool { rows.contains { $0.verdict == .worse } }

  /// Figures that can be compared, and whether more is better.
  static let figures: [(String, Bool)] = [
    ("userBytesPerSession", false), ("kernelBytesPerSession", false), ("connectsPerSecond", true),
    ("connectsPerCPUSecond", true), ("stormSeconds", false), ("idleCPUMicrosecondsPerSession", false),
    ("pushesPerSecond", true), ("pushesPerPodCPUSecond", true), ("pushesPerSenderCPUSecond", true),
    ("redisCPUMicrosecondsPerPush", false), ("rpcsPerPush", false), ("registryReadsPerPush", false),
    ("latencyP50Ms", false), ("latencyP99Ms", false), ("recoverySeconds", false), ("lost", false), ("missed", false),
    ("duplicated", false),
  ]

  private static func row(_ figure: String, _ old: Spread, _ new: Spread, _ largerIsBetter: Bool, _ threshold: Double)
    -> Row
  {
    let difference = new.median - old.median
    let scale = old.median == 0 ? 1 : abs(old.median)
    let change = difference / scale * 100
    let interval = welch(old.values, new.values).map { ($0.lowerBound / scale * 100)...($0.upperBound / scale * 100) }
    let isLarge = abs(change) > threshold || old.median == 0 && difference != 0
    let verdict: Verdict =
      if !isLarge { .same } else if let interval, interval.contains(0) {
        .unclear
      } else if interval == nil,
        old.median != 0
      { .unclear } else if (difference > 0) == largerIsBetter { .better } else { .worse }
    return Row(
      figure: figure, before: old.median, after: new.median, change: change, interval: interval, verdict: verdict)
  }

  /// The 95 % confidence interval of the difference of the means, variances not assumed equal.
  static func welch(_ old: [Double], _ new: [Double]) -> ClosedRange<Double>? {
    guard old.count >= 2, new.count >= 2 else { return nil }
    let (a, b) = (variance(old) / Double(old.count), variance(new) / Double(new.count))
    let difference = mean(new) - mean(old)
    guard a + b > 0 else { return difference...difference }
    let degrees = (a + b) * (a + b) / (a * a / Double(old.count - 1) + b * b / Double(new.count - 1))
    let half = studentT(Int(degrees)) * (a + b).squareRoot()
    return (difference - half)...(difference + half)
  }
}
