public import Sessions

public struct Registration: Sendable, Hashable {
  public let record: SessionRecord
  /// What was stored for this session id before; its pod is told of the takeover.
  public let replaced: SessionRecord?
  /// The user's other records.
  public let others: [SessionRecord]
  public init(record: SessionRecord, replaced: SessionRecord?, others: [SessionRecord]) {
    self.record = record
    self.replaced = replaced
    self.others = others
  }
}

/// A session id connected again elsewhere: the stream with an epoch below `newEpoch` has to end.
public struct Takeover: Sendable, Hashable {
  public let key: SessionKey
  public let newEpoch: Epoch
  public let newPodID: String
  public init(key: SessionKey, newEpoch: Epoch, newPodID: String) {
    self.key = key
    self.newEpoch = newEpoch
    self.newPodID = newPodID
  }
}

public struct SweepResult: Sendable, Hashable {
  public let deleted: Int
  /// Dead incarnations that still have an index.
  public let incarnationsLeft: Int
  public init(deleted: Int, incarnationsLeft: Int) {
    self.deleted = deleted
    self.incarnationsLeft = incarnationsLeft
  }
}

/// What the registry knows of a user's sessions.
public struct UserRecords: Sendable, Hashable {
  public let records: [SessionRecord]
  /// False while the registry recovers from a loss of data: members may have sessions that are not registered yet.
  public let areAll: Bool
  public init(records: [SessionRecord], areAll: Bool) {
    self.records = records
    self.areAll = areAll
  }
}
