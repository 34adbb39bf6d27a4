internal import NIOCore
internal import Placement
internal import RedisDirectory
internal import Sessions
internal import Synchronization

// Reads for pushes that can't do without the registry. A bounded number at a time, so that a sick registry is not
// finished off by its readers; what waits is bounded by the pushes in flight, each of which waits for one read.

final class RegistryReader: Sendable {
  typealias Reply<Value> = @Sendable (Result<Value, DirectoryError>) -> Void

  private let directory: RedisDirectory
  private let follower: ViewFollower
  private let limit: Int
  private let state = Mutex(State())
  private let starts = AsyncStream.makeStream(of: Void.self)

  private enum Job {
    case records(UserID, Reply<UserRecords>)
    case view(Reply<Window?>)
  }

  private struct State {
    var waiting = CircularBuffer<Job>()
    var workers = 0
  }

  init(directory: RedisDirectory, follower: ViewFollower, limit: Int) {
    self.directory = directory
    self.follower = follower
    self.limit = limit
  }

  func readRecords(of user: UserID, reply: @escaping Reply<UserRecords>) { enqueue(.records(user, reply)) }
  func refreshView(reply: @escaping Reply<Window?>) { enqueue(.view(reply)) }

  /// Reads until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await _ in starts.stream {
        group.addTask { while let job = self.next() { await self.perform(job) } }
      }
    }
  }

  private func enqueue(_ job: Job) {
    let needsWorker = state.withLock { state in
      state.waiting.append(job)
      guard state.workers < limit else { return false }
      state.workers += 1
      return true
    }
    if needsWorker { starts.continuation.yield() }
  }

  private func next() -> Job? {
    state.withLock { state in
      if let job = state.waiting.popFirst() { return job }
      state.workers -= 1
      return nil
    }
  }

  private func perform(_ job: Job) async {
    switch job {
    case .records(let user, let reply):
      do throws(DirectoryError) { reply(.success(try await directory.vouchedRecords(of: user))) } catch {
        reply(.failure(error))
      }
    case .view(let reply):
      do throws(DirectoryError) { reply(.success(try await follower.refresh())) } catch { reply(.failure(error)) }
    }
  }
}
