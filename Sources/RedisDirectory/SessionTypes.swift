public import Sessions

/// A session whose record is to be written.
public struct RegistrationRequest: Sendable, Hashable {
  public let key: SessionKey
  /// The last epoch that the client knows.
  public let lastEpoch: Epoch
  /// Whether the pod of the record that is replaced is told to end its stream, which takes a second round trip. False for a
  /// move, where the old stream lives until the new one is welcomed: then call `release`, or `unregister` with the record
  /// that it replaced.
  public let reportsTakeover: Bool
  public init(key: SessionKey, lastEpoch: Epoch, reportsTakeover: Bool = true) {
    self.key = key
    self.lastEpoch = lastEpoch
    self.reportsTakeover = reportsTakeover
  }
}

public struct Registration: Sendable, Hashable {
  public let record: SessionRecord
  /// What was stored for this session id before; its pod is told of the takeover.
  public let replaced: SessionRecord?
  public init(record: SessionRecord, replaced: SessionRecord?) {
    self.record = record
    self.replaced = replaced
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
