/// The reporter's side of one series of stray reports: what the owner was told, and what it is known to have recorded.
///
/// Entries wait until a receipt covers them, and are sent again until one does: a message may be lost, doubled or
/// overtaken, and the numbers sort that out at the owner.
struct StrayReports: Sendable {
  let owner: Incarnation
  private var series: UInt64
  /// Not after a restart, which repeats what the owner was told.
  private var startsOver = true
  /// The owner is to forget even if there is nothing to tell it.
  private var mustStartOver: Bool
  /// Not covered by a receipt; the first has the number `recordedThrough + 1`.
  private var entries: [StrayEntry] = []
  private var recordedThrough: UInt64 = 0
  /// Users reported and not retracted since, with the number of their report.
  private var reported: [UInt64: UInt64] = [:]

  /// - Parameter mustStartOver: an earlier value was thrown away that had told the owner of users.
  init(owner: Incarnation, series: UInt64, mustStartOver: Bool = false) {
    self.owner = owner
    self.series = series
    self.mustStartOver = mustStartOver
  }

  /// The number of the last entry made.
  var lastNumber: UInt64 { recordedThrough + UInt64(entries.count) }

  var hasWork: Bool { !entries.isEmpty || mustStartOver }

  /// Users reported and not retracted.
  var reportedUsers: [UInt64] { Array(reported.keys) }

  /// Whether every entry made so far, up to `number`, is recorded.
  func isRecorded(through number: UInt64) -> Bool { recordedThrough >= number }

  func isRecorded(_ userHash: UInt64) -> Bool {
    guard let number = reported[userHash] else { return false }
    return number <= recordedThrough
  }

  mutating func report(_ userHash: UInt64) {
    guard reported[userHash] == nil else { return }
    entries.append(StrayEntry(userHash: userHash, isRetraction: false))
    reported[userHash] = lastNumber
  }

  /// From here on the stray no longer counts as recorded (R5).
  mutating func retract(_ userHash: UInt64) {
    guard reported.removeValue(forKey: userHash) != nil else { return }
    entries.append(StrayEntry(userHash: userHash, isRetraction: true))
  }

  func next(reporter: Incarnation, limit: Int) -> StrayReport {
    StrayReport(
      reporter: reporter, owner: owner, series: series, startsOver: startsOver, firstNumber: recordedThrough + 1,
      entries: Array(entries.prefix(limit)))
  }

  /// Everything is told again, under numbers that no message still on its way can bear. Retractions that no receipt
  /// covers are part of it, or the owner would keep those strays for ever.
  mutating func restart(series newSeries: UInt64) {
    let retracted = Set(entries.filter(\.isRetraction).map(\.userHash)).subtracting(reported.keys)
    let users = reported.keys.sorted()
    series = newSeries
    startsOver = startsOver && recordedThrough == 0
    recordedThrough = 0
    entries = retracted.sorted().map { StrayEntry(userHash: $0, isRetraction: true) }
    reported = [:]
    for user in users { report(user) }
  }

  enum OnReceipt: Equatable {
    case nothing
    /// More is recorded than before.
    case advanced
    /// The owner has less than it had: it forgot this reporter. Restart.
    case ownerForgot
  }

  mutating func received(_ receipt: StrayReceipt) -> OnReceipt {
    guard receipt.series == series, receipt.recordedThrough <= lastNumber else { return .nothing }
    mustStartOver = false
    if receipt.recordedThrough < recordedThrough { return .ownerForgot }
    guard receipt.recordedThrough > recordedThrough else { return .nothing }
    entries.removeFirst(Int(receipt.recordedThrough - recordedThrough))
    recordedThrough = receipt.recordedThrough
    return .advanced
  }
}
