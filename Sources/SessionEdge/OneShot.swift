/// A value that is set once and awaited by any number of tasks.
internal import Synchronization

package final class OneShot<Value: Sendable>: Sendable {
  private let state = Mutex(State())

  package init() {}

  private struct State {
    var result: Result<Value, any Error>?
    var waiting: [Int: CheckedContinuation<Value, any Error>] = [:]
    var lastWaiter = 0
  }

  /// The first outcome counts.
  package func succeed(_ value: Value) { resolve(.success(value)) }

  package func fail(_ error: any Error) { resolve(.failure(error)) }

  /// Nil while it is not set, or when it failed.
  package var result: Value? { state.withLock { try? $0.result?.get() } }

  /// Throws what `fail` was given, or `CancellationError`.
  package func value() async throws -> Value {
    let waiter = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let result = self.state.withLock { state -> Result<Value, any Error>? in
          if let result = state.result { return result }
          if Task.isCancelled { return .failure(CancellationError()) }
          state.waiting[waiter] = continuation
          return nil
        }
        if let result { continuation.resume(with: result) }
      }
    } onCancel: {
      let continuation = self.state.withLock { $0.waiting.removeValue(forKey: waiter) }
      continuation?.resume(throwing: CancellationError())
    }
  }

  /// Nil when it was not set in time.
  package func value(before deadline: ContinuousClock.Instant) async -> Value? {
    await withTaskGroup(of: Value?.self) { group in
      group.addTask { try? await self.value() }
      group.addTask {
        try? await Task.sleep(until: deadline, clock: .continuous)
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
  }

  private func resolve(_ result: Result<Value, any Error>) {
    let waiting = state.withLock { state -> [CheckedContinuation<Value, any Error>] in
      guard state.result == nil else { return [] }
      state.result = result
      defer { state.waiting = [:] }
      return Array(state.waiting.values)
    }
    for continuation in waiting { continuation.resume(with: result) }
  }
}
