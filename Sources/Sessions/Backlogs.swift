/// The slow streams: what was dropped for them, and whether they have been told. There is nothing for others, and no place
/// in the entry of a session.
///
/// A client is told by a notice in its queue: so many messages were dropped since the last notice. One notice at a time: what
/// is dropped while it waits is told when it has gone out, or when the stream ends. So a client that does not read costs one
/// notice, and one that reads hears of every message it lost.
struct Backlogs: Sendable {
  private var streams: [StreamID: Backlog] = [:]

  private struct Backlog: Sendable {
    /// Not told yet.
    var dropped: UInt32 = 0
    /// Bytes that have to leave the queue until the notice in it has left too; 0: there is none.
    var notice = 0
  }

  /// - Parameter bytes: that left the queue by that.
  /// - Returns: how many to tell now; 0: nothing.
  mutating func dropped(_ count: Int, bytes: Int, for stream: StreamID) -> UInt32 {
    lost(count, by: stream)
    guard var backlog = streams[stream] else { return 0 }
    // A notice is never dropped: only writing brings it out.
    if backlog.notice > 0 { backlog.notice = max(1, backlog.notice - bytes) }
    streams[stream] = backlog
    return due(stream)
  }

  /// To be told when the stream ends.
  mutating func lost(_ count: Int, by stream: StreamID) {
    let before = streams[stream]?.dropped ?? 0
    streams[stream, default: Backlog()].dropped = UInt32(clamping: Int(before) + count)
  }

  /// The notice is queued, as the last of `queuedBytes`.
  mutating func noticeQueued(for stream: StreamID, queuedBytes: Int) {
    streams[stream, default: Backlog()].notice = queuedBytes
  }

  /// - Returns: how many dropped messages to tell now; 0: nothing.
  mutating func written(_ bytes: Int, for stream: StreamID) -> UInt32 {
    guard !streams.isEmpty, let backlog = streams[stream] else { return 0 }
    streams[stream]?.notice = max(0, backlog.notice - bytes)
    return due(stream)
  }

  /// - Returns: how many dropped messages are not told.
  @discardableResult
  mutating func forget(_ stream: StreamID) -> UInt32 {
    guard !streams.isEmpty, let backlog = streams.removeValue(forKey: stream) else { return 0 }
    // What many slow clients have left is given back.
    if streams.isEmpty { streams = [:] }
    return backlog.dropped
  }

  private mutating func due(_ stream: StreamID) -> UInt32 {
    guard let backlog = streams[stream], backlog.notice == 0 else { return 0 }
    guard backlog.dropped > 0 else {
      forget(stream)
      return 0
    }
    streams[stream]?.dropped = 0
    return backlog.dropped
  }
}
