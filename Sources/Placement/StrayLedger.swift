/// The owner's side: which incarnations told it that they hold sessions of which users.
struct StrayLedger: Sendable {
  private struct Reporter: Sendable {
    var series: UInt64
    var recordedThrough: UInt64 = 0
    var users: Set<UInt64> = []
  }

  private var reporters: [Incarnation: Reporter] = [:]
  /// One or two incarnations for nearly every user, so an array is smaller and faster than a set.
  private var holders: [UInt64: [Incarnation]] = [:]

  /// How many users have strays.
  var count: Int { holders.count }

  /// Incarnations that told of strays.
  var reporting: [Incarnation] { Array(reporters.keys) }

  /// Who told of a session of whom; in order.
  var entries: [(userHash: UInt64, reporter: Incarnation)] {
    holders.flatMap { user, reporters in reporters.map { (userHash: user, reporter: $0) } }
      .sorted { ($0.userHash, $0.reporter) < ($1.userHash, $1.reporter) }
  }

  func holders(of userHash: UInt64) -> [Incarnation] { holders[userHash] ?? [] }

  /// Records what comes next in the reporter's order; what was recorded before, or leaves a gap, changes nothing.
  mutating func record(_ report: StrayReport) -> StrayReceipt {
    var reporter = reporters[report.reporter] ?? Reporter(series: report.series)
    // An earlier series: a late message of one that the reporter has given up.
    guard report.series >= reporter.series else {
      return StrayReceipt(series: reporter.series, recordedThrough: reporter.recordedThrough)
    }
    if report.series > reporter.series {
      // What the earlier series told stays until it is retracted or the reporter is gone: too many strays cost a read
      // of the registry, too few a message. Unless the reporter has forgotten it: it forgets when a view is without this
      // owner, and by the time that this owner may claim again it has acknowledged a view, and told all anew (R2).
      if report.startsOver {
        forget(report.reporter)
        reporter = Reporter(series: report.series)
      }
      reporter.series = report.series
      reporter.recordedThrough = 0
    }
    let expected = reporter.recordedThrough + 1
    if report.firstNumber >= 1, report.firstNumber <= expected {
      for entry in report.entries.dropFirst(Int(clamping: expected - report.firstNumber)) {
        apply(entry, of: report.reporter, &reporter)
        reporter.recordedThrough += 1
      }
    }
    reporters[report.reporter] = reporter
    return StrayReceipt(series: reporter.series, recordedThrough: reporter.recordedThrough)
  }

  /// The incarnation is gone, and every stream that it reported with it (R5).
  mutating func forget(_ incarnation: Incarnation) {
    guard let reporter = reporters.removeValue(forKey: incarnation) else { return }
    for user in reporter.users { remove(incarnation, from: user) }
  }

  private mutating func apply(_ entry: StrayEntry, of incarnation: Incarnation, _ reporter: inout Reporter) {
    if entry.isRetraction {
      if reporter.users.remove(entry.userHash) != nil { remove(incarnation, from: entry.userHash) }
    } else if reporter.users.insert(entry.userHash).inserted {
      holders[entry.userHash, default: []].append(incarnation)
    }
  }

  private mutating func remove(_ incarnation: Incarnation, from userHash: UInt64) {
    holders[userHash]?.removeAll { $0 == incarnation }
    if holders[userHash]?.isEmpty == true { holders[userHash] = nil }
  }
}
