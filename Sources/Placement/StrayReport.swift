/// What a member tells the owner of some of its users: "I hold sessions of these".
///
/// Entries are numbered from 1 for each pair of reporter and owner, and recorded in that order, because a report and the
/// retraction that follows it mean the opposite when they change places.

/// One user, by the 64-bit hash: two users of one hash only cost a read of the registry.
public struct StrayEntry: Hashable, Sendable {
  public let userHash: UInt64
  /// False: the reporter holds (or is about to welcome) a session of the user. True: it holds none any more.
  public let isRetraction: Bool

  public init(userHash: UInt64, isRetraction: Bool) {
    self.userHash = userHash
    self.isRetraction = isRetraction
  }
}

/// Consecutive entries of one reporter for one owner. Without entries it asks how far the owner has got.
public struct StrayReport: Hashable, Sendable {
  public let reporter: Incarnation
  public let owner: Incarnation
  /// Of the reporter's series of numbers for this owner; a later series begins at 1 again, after the owner was found to
  /// have forgotten the one before. Never used twice by one reporter.
  public let series: UInt64
  /// The reporter does not know what it told in earlier series, if anything: all of it is to be forgotten.
  public let startsOver: Bool
  /// The number of `entries[0]`, or of the next entry when there are none. At least 1.
  public let firstNumber: UInt64
  public let entries: [StrayEntry]

  public init(
    reporter: Incarnation, owner: Incarnation, series: UInt64, startsOver: Bool = false, firstNumber: UInt64,
    entries: [StrayEntry]
  ) {
    self.reporter = reporter
    self.owner = owner
    self.series = series
    self.startsOver = startsOver
    self.firstNumber = firstNumber
    self.entries = entries
  }
}

/// The owner's answer: every entry of `series` up to and including this number is recorded.
public struct StrayReceipt: Hashable, Sendable {
  public let series: UInt64
  public let recordedThrough: UInt64

  public init(series: UInt64, recordedThrough: UInt64) {
    self.series = series
    self.recordedThrough = recordedThrough
  }
}
