import Synchronization

/// Events between the connection, which must not wait, and one consumer, which may be slow. Bounded.
///
/// When it is full, the events in it are replaced by one `.subscribed`, which says all that is left to say: what came
/// before may have been missed, read the state afresh. To drop only the oldest would make the consumer work through a
/// backlog that it has to distrust anyway.
final class SubscriptionBuffer: Sendable {
  private struct State {
    var events: [RedisSubscriptionEvent] = []
    /// At most one of `events` being non-empty and `consumer` being set.
    var consumer: CheckedContinuation<RedisSubscriptionEvent?, Never>?
    var isFinished = false
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) { self.limit = max(limit, 1) }

  func append(_ event: RedisSubscriptionEvent) {
    let consumer = state.withLock { state -> CheckedContinuation<RedisSubscriptionEvent?, Never>? in
      if let consumer = state.consumer.take() { return consumer }
      state.events = state.events.count < limit ? state.events + [event] : [.subscribed]
      return nil
    }
    consumer?.resume(returning: event)
  }

  /// Waits for an event; nil when finished, or when `cancelConsumer` was called. For one consumer at a time: a second one
  /// gets nil.
  func next() async -> RedisSubscriptionEvent? {
    await withCheckedContinuation { continuation in
      let answer = state.withLock { state -> RedisSubscriptionEvent?? in
        if !state.events.isEmpty { return .some(state.events.removeFirst()) }
        if state.isFinished || state.consumer != nil { return .some(nil) }
        state.consumer = continuation
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  func cancelConsumer() { state.withLock { $0.consumer.take() }?.resume(returning: nil) }

  /// The consumer still gets what is in the buffer.
  func finish() {
    state.withLock { state in
      state.isFinished = true
      return state.consumer.take()
    }?.resume(returning: nil)
  }
}
