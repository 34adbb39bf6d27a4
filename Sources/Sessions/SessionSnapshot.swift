internal import Placement

/// One live session as a look at the pod shows it.
public struct SessionSnapshot: Hashable, Sendable {
  public let stream: StreamID
  public let record: SessionRecord
  public let hello: Hello
  public let queuedBytes: Int
}

extension SessionTable {
  public func snapshot(of stream: StreamID) -> SessionSnapshot? { place(of: stream).flatMap { snapshot(at: $0) } }

  private func snapshot(at place: Int) -> SessionSnapshot? {
    guard let record = record(at: place) else { return nil }
    let entry = entries[place]
    return SessionSnapshot(
      stream: entry.stream, record: record, hello: entry.hello, queuedBytes: Int(entry.queuedBytes))
  }

  public func isLive(_ stream: StreamID) -> Bool { place(of: stream).map { entries[$0].state == .live } ?? false }

  /// The user's live sessions, in the order in which they were welcomed.
  public func snapshots(of user: UserID) -> [SessionSnapshot] { livePlaces(of: user).compactMap { snapshot(at: $0) } }

  /// Of a live session.
  public func record(of key: SessionKey) -> SessionRecord? { livePlace(of: key).flatMap { record(at: $0) } }

  /// Live sessions, in no order.
  public func snapshots() -> [SessionSnapshot] { entries.indices.compactMap { snapshot(at: $0) } }

  /// The live sessions' records, in no order: what the registry has to hold of this pod.
  public func records() -> [SessionRecord] { entries.indices.compactMap { record(at: $0) } }

  /// Whether a stream of this session is live or on its way to be: then its record is not to be cleaned up.
  public func holds(_ key: SessionKey) -> Bool { livePlace(of: key) != nil || isRegistering(key) }

  /// Sessions with a stream that waits for its registration; in no order.
  public var registeringKeys: [SessionKey] { Array(registering.keys) }

  /// Whether exactly this record has a live stream.
  public func holds(_ record: SessionRecord) -> Bool {
    livePlace(of: record.key).map { entries[$0].epoch == record.epoch } ?? false
  }

  /// Every stream, of any state.
  public var streamIDs: [StreamID] { entries.lazy.filter { $0.state != .free }.map(\.stream) }
}
