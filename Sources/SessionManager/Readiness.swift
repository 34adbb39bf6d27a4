/// Whether the pod takes sessions, and who wants to know of every change: the health services.
///
/// Watchers are only woken, outside the lock, and then look for themselves: so they can't see two changes in the wrong
/// order.
internal import Synchronization

final class Readiness: Sendable {
  private let state = Mutex(State())

  private struct State {
    var isReady = false
    var isClosed = false
    var watchers: [UInt64: AsyncStream<Void>.Continuation] = [:]
    var lastWatcher: UInt64 = 0
  }

  var isReady: Bool { state.withLock { $0.isReady } }

  func set(_ isReady: Bool) {
    let watchers = state.withLock { state in
      guard state.isReady != isReady else { return [] as [AsyncStream<Void>.Continuation] }
      state.isReady = isReady
      return Array(state.watchers.values)
    }
    for watcher in watchers { watcher.yield() }
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

  /// Calls `tell` with the present state at once and then with each new one, until the task is cancelled, `tell`
  /// throws, or `close`. Of changes that come faster than `tell` takes them, the last counts.
  func watch(_ tell: (Bool) async throws -> Void) async rethrows {
    var told: Bool?
    for await _ in wakes() {
      let isReady = isReady
      guard isReady != told else { continue }
      told = isReady
      try await tell(isReady)
    }
  }

  private func wakes() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let watcher = state.withLock { state -> UInt64? in
      guard !state.isClosed else { return nil }
      state.lastWatcher += 1
      state.watchers[state.lastWatcher] = continuation
      return state.lastWatcher
    }
    continuation.yield()
    guard let watcher else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.watchers[watcher] = nil } }
    return stream
  }
}
