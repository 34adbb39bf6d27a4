/// Whether the pod takes sessions, and who wants to know of every change: the health services.
internal import Synchronization

final class Readiness: Sendable {
  private let state = Mutex(State())

  private struct State {
    var isReady = false
    var isClosed = false
    var watchers: [UInt64: AsyncStream<Bool>.Continuation] = [:]
    var lastWatcher: UInt64 = 0
  }

  var isReady: Bool { state.withLock { $0.isReady } }

  func set(_ isReady: Bool) {
    let isNew = state.withLock { state in
      defer { state.isReady = isReady }
      return state.isReady != isReady
    }
    if isNew { tell() }
  }

  /// Never while the lock is held: a watcher that is being cancelled waits for it, and a yield waits for the watcher.
  /// Without the lock two changes may be given in either order, so the newest is given again until it was the last.
  private func tell() {
    var told: Bool?
    while let (isReady, watchers) = state.withLock({ state in
      state.isReady == told ? nil : (state.isReady, Array(state.watchers.values))
    }) {
      for watcher in watchers { watcher.yield(isReady) }
      told = isReady
    }
  }

  /// Ends every watch, so that no health stream keeps a server from stopping.
  func close() {
    let watchers = state.withLock { state in
      state.isClosed = true
      defer { state.watchers = [:] }
      return Array(state.watchers.values)
    }
    for watcher in watchers { watcher.finish() }
  }

  /// The present state at once, then each change; the newest only, for a slow consumer.
  func changes() -> AsyncStream<Bool> {
    let (stream, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
    let watcher = state.withLock { state -> UInt64? in
      continuation.yield(state.isReady)
      guard !state.isClosed else { return nil }
      state.lastWatcher += 1
      state.watchers[state.lastWatcher] = continuation
      return state.lastWatcher
    }
    guard let watcher else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLock { $0.watchers[watcher] = nil }
    }
    return stream
  }
}
