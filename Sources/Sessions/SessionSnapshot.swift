internal import Placement

/// One live session as a look at the pod shows it.
public struct SessionSnapshot: Hashable, Sendable {
  public let stream: StreamID
  public let record: SessionRecord
  public let hello: Hello
  public let queuedBytes: Int
}

extension SessionTable {
  public func snapshot(of stream: StreamID) -> SessionSnapshot? {
    guard let entry = streams[stream], case .live(let hello, let record) = entry.state else { return nil }
    return SessionSnapshot(stream: stream, record: record, hello: hello, queuedBytes: entry.queuedBytes)
  }

  /// Live sessions, in no order.
  public func snapshots() -> [SessionSnapshot] { streams.keys.compactMap { snapshot(of: $0) } }

  /// The live sessions' records, in no order: what the registry has to hold of this pod.
  public func records() -> [SessionRecord] {
    streams.values.compactMap { entry in
      guard case .live(_, let record) = entry.state else { return nil }
      return record
    }
  }

  /// Whether a stream of this session is live or on its way to be: then its record is not to be cleaned up.
  public func holds(_ key: SessionKey) -> Bool { liveStream(of: key) != nil || registering[key] != nil }

  /// Whether a stream of this session waits for its registration or its welcome.
  public func isRegistering(_ key: SessionKey) -> Bool { registering[key] != nil }

  /// Whether exactly this record has a live stream.
  public func holds(_ record: SessionRecord) -> Bool {
    guard let stream = liveStream(of: record.key) else { return false }
    return epoch(of: stream) == record.epoch
  }

  /// Every stream, of any state.
  public var streamIDs: [StreamID] { Array(streams.keys) }
}
