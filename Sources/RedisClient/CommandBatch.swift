import NIOCore
import Synchronization

/// One call of the client on its way: its bytes, the replies so far, and who waits for them.
///
/// It is answered exactly once, whoever comes first: the last reply, a failure, or the caller's cancellation; what
/// comes after is dropped.
final class CommandBatch: Sendable {
  typealias Replies = [Result<RedisValue, RedisError>]

  private enum State {
    case created
    case waiting(CheckedContinuation<Replies, Never>, Replies, isWritten: Bool)
    case answered
  }

  let names: [String]
  let encoded: ByteBuffer
  let deadline: ContinuousClock.Instant
  private let address: String
  private let isRepeatable: Bool
  private let state = Mutex(State.created)

  /// - Parameter isRepeatable: nothing is lost when it ran without an answer, so errors need not warn of that.
  init(_ commands: [RedisCommand], address: String, deadline: ContinuousClock.Instant, isRepeatable: Bool = false) {
    names = commands.map(\.name)
    var buffer = ByteBuffer()
    for command in commands { buffer.writeRedisCommand(command) }
    encoded = buffer
    self.address = address
    self.isRepeatable = isRepeatable
    self.deadline = deadline
  }

  var count: Int { names.count }

  /// Gives the batch to `submit` and waits for its replies. Once per batch.
  func replies(afterSubmitting submit: @Sendable (CommandBatch) -> Void) async -> Replies {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        state.withLock { $0 = .waiting(continuation, [], isWritten: false) }
        // Cancelled before: then `onCancel` ran already, and found nothing to answer.
        if Task.isCancelled { cancel() } else { submit(self) }
      }
    } onCancel: {
      cancel()
    }
  }

  /// False when it was answered already (cancelled, timed out), and so must not be written.
  func willBeWritten() -> Bool {
    state.withLock { state in
      guard case .waiting(let continuation, let replies, _) = state else { return false }
      state = .waiting(continuation, replies, isWritten: true)
      return true
    }
  }

  func received(_ value: RedisValue) {
    let answer = state.withLock { state -> (CheckedContinuation<Replies, Never>, Replies)? in
      guard case .waiting(let continuation, var replies, let isWritten) = state else { return nil }
      // Taken out first, so that appending does not copy the replies so far.
      state = .answered
      replies.append(result(value, name: names[replies.count]))
      guard replies.count == names.count else {
        state = .waiting(continuation, replies, isWritten: isWritten)
        return nil
      }
      return (continuation, replies)
    }
    answer?.0.resume(returning: answer?.1 ?? [])
  }

  /// Answers all that is unanswered with an error.
  func failed(_ code: RedisError.Code, _ reason: String) {
    let answer = state.withLock { state -> (CheckedContinuation<Replies, Never>, Replies, Bool)? in
      guard case .waiting(let continuation, let replies, let isWritten) = state else { return nil }
      state = .answered
      return (continuation, replies, isWritten)
    }
    guard let (continuation, replies, isWritten) = answer else { return }
    let advice = isWritten && !isRepeatable ? "; it may have run: read the state before you repeat it" : ""
    let errors = names[replies.count...].map { name in
      RedisError(code: code, message: "\(address): \(name): \(reason)\(advice)", mayHaveRun: isWritten)
    }
    continuation.resume(returning: replies + errors.map { .failure($0) })
  }

  /// As `failed`, but leaves it to its connection if it has one.
  func failedUnlessWritten(_ code: RedisError.Code, _ reason: String) {
    let isWritten = state.withLock { if case .waiting(_, _, let isWritten) = $0 { isWritten } else { true } }
    // Written in between: then both would answer, and the first counts; the reason is as true as the other.
    if !isWritten { failed(code, reason) }
  }

  private func cancel() { failed(.cancelled, "the calling task was cancelled") }

  private func result(_ value: RedisValue, name: String) -> Result<RedisValue, RedisError> {
    guard case .error(let text) = value else { return .success(value) }
    return .failure(ServerErrors.error(text, command: name, address: address))
  }
}
