/// Answers on their way to the caller of a PushStream: as many as there are go in one write, which costs little more than one
/// of them alone.
///
/// Bounded: when the caller does not read, `add` waits, hence its push counts as in flight, and no more pushes are taken.
internal import GRPCCore
internal import Synchronization
internal import Wire

final class AnswerQueue: Sendable {
  private struct State {
    var answers: [Pushring_V1_PushStreamResponse] = []
    var waiting: [CheckedContinuation<Void, Never>] = []
    /// Nobody writes any more.
    var isClosed = false
  }

  private let limit: Int
  private let state = Mutex(State())
  private let signal = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// - Parameter limit: so many wait to be written before `add` waits.
  init(limit: Int) { self.limit = limit }

  /// Returns when there is room for more; at once when nobody writes any more.
  func add(_ answer: Pushring_V1_PushStreamResponse) async {
    let (isFirst, isFull) = state.withLock { state in
      guard !state.isClosed else { return (false, false) }
      state.answers.append(answer)
      return (state.answers.count == 1, state.answers.count > limit)
    }
    if isFirst { signal.continuation.yield() }
    guard isFull else { return }
    await withCheckedContinuation { continuation in
      let hasRoom = state.withLock { state in
        guard !state.isClosed, state.answers.count > limit else { return true }
        state.waiting.append(continuation)
        return false
      }
      if hasRoom { continuation.resume() }
    }
  }

  /// No answer comes any more: `write` returns when all are written.
  func finish() { signal.continuation.finish() }

  /// Call once.
  func write(to writer: RPCWriter<Pushring_V1_PushStreamResponse>) async throws {
    defer { close() }
    for await _ in signal.stream {
      // Lets those who are about to be answered join.
      await Task.yield()
      try await writer.write(contentsOf: take())
    }
    try await writer.write(contentsOf: take())
  }

  private func take() -> [Pushring_V1_PushStreamResponse] {
    let (answers, waiting) = state.withLock { state in
      defer {
        state.answers = []
        state.waiting = []
      }
      return (state.answers, state.waiting)
    }
    for continuation in waiting { continuation.resume() }
    return answers
  }

  private func close() {
    state.withLock { $0.isClosed = true }
    _ = take()
  }
}
