/// One call: a reader that hands messages to the handler, and a writer that takes them from a queue.
///
/// The handler's methods are called under `turn`, so never two at once. `send` and `end` only append to the queue and
/// wake the writer, so that they may be called from any thread, also from inside the handler.
///
/// The writer's `write` suspends while the client gives no window, and that is when `bytesWritten` stops: at most about
/// 64 KiB were then written above the client's window.
internal import GRPCCore
internal import GRPCServing
internal import SessionEdge
internal import Synchronization

final class GRPCEdgeCall: EdgeCall {
  let id: UInt64
  let peer: String
  private let hasDeadline: Bool
  private let maximumMessageBytes: Int
  private let connections: ServerChannels
  private let state = Mutex(State())
  private let turn = Mutex<(any EdgeCallHandler)?>(nil)
  private let wake = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  private struct State {
    var queue: [[UInt8]] = []
    /// The first one counts.
    var finish: Finish?
    var inputEnded = false
    var isCancelled = false
  }

  private enum Finish {
    /// After the queue.
    case status(EdgeStatus)
    /// At once.
    case abort(EdgeCloseReason)
  }

  init(id: UInt64, peer: String, hasDeadline: Bool, maximumMessageBytes: Int, connections: ServerChannels) {
    self.id = id
    self.peer = peer
    self.hasDeadline = hasDeadline
    self.maximumMessageBytes = maximumMessageBytes
    self.connections = connections
  }

  // MARK: From the application

  func send(_ message: [UInt8]) {
    let isQueued = state.withLock { state in
      guard state.finish == nil else { return false }
      state.queue.append(message)
      return true
    }
    if isQueued { wake.continuation.yield() }
  }

  func end(_ status: EdgeStatus) { finish(.status(status)) }

  // MARK: From the edge

  func attach(_ handler: any EdgeCallHandler) { turn.withLock { $0 = handler } }

  /// Ends the call now, whatever is queued.
  func abort(_ reason: EdgeCloseReason) {
    state.withLock { state in
      if case .abort = state.finish { return }
      state.finish = .abort(reason)
      state.queue = []
    }
    wake.continuation.yield()
  }

  /// The library gave the call up. While the client may still send, the reader learns the reason from the stream.
  func cancelled() {
    let isUnread = state.withLock { state in
      state.isCancelled = true
      return state.inputEnded || hasDeadline
    }
    if isUnread { abort(.cancelledByClient) }
  }

  /// Runs the call to its end and returns the status to write; the handler hears `closed` last.
  func serve(_ messages: RPCAsyncSequence<[UInt8], any Error>, _ writer: RPCWriter<[UInt8]>) async -> EdgeStatus {
    let (status, reason) = await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.read(messages) }
      let finish = await self.write(to: writer)
      group.cancelAll()
      return finish
    }
    turn.withLock { handler in
      handler?.closed(reason)
      handler = nil
    }
    return status
  }

  // MARK: Reader

  private func read(_ messages: RPCAsyncSequence<[UInt8], any Error>) async {
    do {
      for try await message in messages {
        guard message.count <= maximumMessageBytes else { return end(tooLarge(message.count)) }
        turn.withLock { $0?.messageReceived(message) }
      }
    } catch {
      return abort(closeReason(for: error))
    }
    guard !Task.isCancelled else { return abort(.edgeStopped) }
    turn.withLock { $0?.inputEnded() }
    let isCancelled = state.withLock { state in
      state.inputEnded = true
      return state.isCancelled
    }
    if isCancelled { abort(.cancelledByClient) }
  }

  private func tooLarge(_ count: Int) -> EdgeStatus {
    EdgeStatus(
      .resourceExhausted, "the message has \(count) bytes; this server takes at most \(maximumMessageBytes)")
  }

  /// The library tells the two apart by the text only.
  private func closeReason(for error: any Error) -> EdgeCloseReason {
    guard let error = error as? RPCError else { return .connectionLost(String(describing: error)) }
    if error.message.contains("RST_STREAM") { return .cancelledByClient }
    return .connectionLost(error.message)
  }

  // MARK: Writer

  private enum Work {
    case messages([[UInt8]])
    case finish(Finish)
  }

  private func write(to writer: RPCWriter<[UInt8]>) async -> (EdgeStatus, EdgeCloseReason) {
    var wakes = wake.stream.makeAsyncIterator()
    // Bytes since the event loop was last known to have caught up.
    var unwatched = 0
    while true {
      switch nextWork() {
      case .messages(let messages):
        do {
          try await write(messages, to: writer, &unwatched)
        } catch {
          return written(failed: error)
        }
      case .finish(.status(let status)):
        return (status, .ended)
      case .finish(.abort(let reason)):
        return (EdgeStatus(.unavailable, "the call was ended: \(reason)"), reason)
      case nil:
        // Nil: the task was cancelled, which only the end of the edge does.
        if await wakes.next() == nil { abort(.edgeStopped) }
      }
    }
  }

  private static let unwatchedBytes = 32 * 1024

  private func write(_ messages: [[UInt8]], to writer: RPCWriter<[UInt8]>, _ unwatched: inout Int) async throws {
    for message in messages {
      unwatched += message.count
      if unwatched > Self.unwatchedBytes {
        await connections.caughtUp(peer)
        unwatched = 0
      }
      try await writer.write(message)
      turn.withLock { $0?.bytesWritten(message.count) }
    }
  }

  /// The reader may know better why, so its reason stands if it came first.
  private func written(failed error: any Error) -> (EdgeStatus, EdgeCloseReason) {
    let reason = state.withLock { state in
      if case .abort(let reason) = state.finish { return reason }
      return Task.isCancelled ? .edgeStopped : .connectionLost(String(describing: error))
    }
    return (EdgeStatus(.unavailable, "the call was ended: \(reason)"), reason)
  }

  private func nextWork() -> Work? {
    state.withLock { state in
      guard state.queue.isEmpty else {
        defer { state.queue = [] }
        return .messages(state.queue)
      }
      return state.finish.map(Work.finish)
    }
  }

  private func finish(_ finish: Finish) {
    state.withLock { state in
      if state.finish == nil { state.finish = finish }
    }
    wake.continuation.yield()
  }
}
