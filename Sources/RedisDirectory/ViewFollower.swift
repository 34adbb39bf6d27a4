internal import HashRing
public import Logging
public import Placement
public import RedisClient
internal import Synchronization

/// Follows the view: by a subscription, and by asking when that fails.
///
/// A subscription is fast and proves nothing: a connection that is silently dead looks like a quiet cluster. So every
/// poll interval the follower compares stamps, which is one small read; only if they differ, or at every tenth poll, it
/// reads whole views. `confirmedAt` counts from reads alone.
public final class ViewFollower: Sendable {
  private let directory: RedisDirectory
  private let configuration: RedisConfiguration
  private let pollInterval: Duration
  private let subscriber: RedisSubscriber
  private let logger: Logger
  private let state = Mutex(State())
  /// What `window` answers with: stored under the lock, so in order; read without it.
  private let published = PublishedReference<Window?>(nil)

  private struct State {
    var followed = FollowedWindow()
    var confirmedAt: ContinuousClock.Instant?
    var consumers: [Int: AsyncStream<Window>.Continuation] = [:]
    var nextConsumer = 0
    var refresh: Task<Result<Window?, DirectoryError>, Never>?
    /// Of the last poll, if it failed.
    var failure: DirectoryError?

    /// Never backwards: two answers may come in either order.
    mutating func confirm(_ instant: ContinuousClock.Instant) {
      confirmedAt = max(confirmedAt ?? instant, instant)
    }
  }

  /// - Parameter pollInterval: how often the stamps are compared; whole views are read when they differ, and at every
  ///   tenth comparison.
  public init(
    directory: RedisDirectory, configuration: RedisConfiguration, pollInterval: Duration = .seconds(1), logger: Logger
  ) {
    self.directory = directory
    self.configuration = configuration
    self.pollInterval = pollInterval
    self.logger = logger
    subscriber = RedisSubscriber(configuration: configuration, channels: [directory.keys.views], logger: logger)
  }

  /// Follows until the task is cancelled. To be called once.
  public func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.subscriber.run() }
      group.addTask { await self.listen() }
      group.addTask { await self.poll() }
    }
  }

  /// The newest window known; nil before the first. Takes no lock: safe on hot paths.
  public var window: Window? { published.load() }

  /// When `window` was last confirmed by the registry, for "younger than a lease": the moment before it was asked.
  public var confirmedAt: ContinuousClock.Instant? { state.withLock { $0.confirmedAt } }

  /// Why the registry could not be read the last time; nil when it was.
  public var failure: DirectoryError? { state.withLock { $0.failure } }

  /// The window known now, if any, and each new one; the newest only when the consumer is slow. A stream of its own
  /// for each caller.
  public func windows() -> AsyncStream<Window> {
    let (stream, continuation) = AsyncStream.makeStream(of: Window.self, bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { state in
      state.nextConsumer += 1
      state.consumers[state.nextConsumer] = continuation
      if let window = state.followed.window { continuation.yield(window) }
      return state.nextConsumer
    }
    continuation.onTermination = { [weak self] _ in self?.removeConsumer(id) }
    return stream
  }

  /// Reads the window now, e.g. because a peer's message carried a newer stamp. Callers that come while a read is under
  /// way share it.
  public func refresh() async throws(DirectoryError) -> Window? {
    let task = state.withLock { state in
      if let task = state.refresh { return task }
      // Unstructured, because it outlives a caller that is cancelled: others may share it. Bounded by the client's
      // time-out.
      let task = Task { await self.readAndClear() }
      state.refresh = task
      return task
    }
    return try await task.value.get()
  }

  /// A takeover was reported to `incarnation`: call `takeTakeovers`. Hints, may be missed: renewals take them too. A
  /// connection of its own, which lives as long as somebody reads the stream.
  public func takeoverHints(for incarnation: Incarnation) -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let subscriber = RedisSubscriber(
      configuration: configuration, channels: [directory.keys.hint(for: incarnation)], logger: logger)
    // Unstructured, but its life is the stream's.
    let task = Task {
      await withDiscardingTaskGroup { group in
        group.addTask { await subscriber.run() }
        for await event in subscriber.events {
          // A new subscription may have missed some.
          if case .disconnected = event { continue }
          continuation.yield()
        }
      }
    }
    continuation.onTermination = { _ in task.cancel() }
    return stream
  }
}

// MARK: - Listening and polling

extension ViewFollower {
  private func listen() async {
    for await event in subscriber.events {
      switch event {
      case .subscribed: _ = try? await refresh()
      case .message(_, let payload): await announced(payload)
      case .disconnected:
        logger.info("The subscription to views is lost; asking instead until it is back", metadata: metadata)
      }
    }
  }

  private func announced(_ payload: [UInt8]) async {
    let directive: FollowedWindow.Directive
    do {
      let announcement = try ViewAnnouncement(encoded: String(decoding: payload, as: UTF8.self))
      directive = state.withLock { state in
        defer { published.publish(state.followed.window) }
        return state.followed.announced(announcement)
      }
      tell(directive)
    } catch {
      logger.warning(
        "An announcement of a view was not understood; reading the view instead",
        metadata: metadata.merging(["error": "\(error.message)"]) { $1 })
      directive = .read
    }
    if directive == .read { _ = try? await refresh() }
  }

  private func poll() async {
    var count = 0
    while !Task.isCancelled {
      do {
        if count.isMultiple(of: 10) { _ = try await refresh() } else { try await compareStamps() }
        succeeded()
      } catch {
        // At the end the client is stopped as well.
        if !Task.isCancelled { failed(error) }
      }
      count += 1
      try? await Task.sleep(for: pollInterval)
    }
  }

  private func compareStamps() async throws(DirectoryError) {
    let asked = ContinuousClock.now
    let stamps = try await directory.stamps()
    let isConfirmed = state.withLock { state in
      guard state.followed.confirms(settled: stamps.settled, current: stamps.current) else { return false }
      state.confirm(asked)
      return true
    }
    if !isConfirmed { _ = try await refresh() }
  }

  private func readAndClear() async -> Result<Window?, DirectoryError> {
    let result = await read()
    state.withLock { $0.refresh = nil }
    return result
  }

  private func read() async -> Result<Window?, DirectoryError> {
    // The second read sees what overtook the first; more would only chase a cluster in motion.
    for _ in 0..<3 {
      let mark = state.withLock { $0.followed.readBegan() }
      let asked = ContinuousClock.now
      let read: Window?
      do { read = try await directory.window() } catch { return .failure(error) }
      let directive = state.withLock { state in
        let directive = state.followed.readEnded(read, mark)
        published.publish(state.followed.window)
        if directive != .read, read != nil { state.confirm(asked) }
        return directive
      }
      tell(directive)
      if directive != .read { break }
    }
    return .success(window)
  }

  /// Never while the lock is held: a consumer that is being cancelled waits for it in `removeConsumer`, and a yield waits
  /// for the consumer. Without the lock two windows may be given in either order, so the newest is given again until it
  /// was the last.
  private func tell(_ directive: FollowedWindow.Directive) {
    guard case .tell = directive else { return }
    var told: Window?
    while let (window, consumers) = state.withLock({ state in
      state.followed.window.flatMap { $0.isSame(as: told) ? nil : ($0, Array(state.consumers.values)) }
    }) {
      for consumer in consumers { consumer.yield(window) }
      told = window
    }
  }

  private func removeConsumer(_ id: Int) {
    state.withLock { $0.consumers[id] = nil }
  }

  private func succeeded() {
    let wasFailing = state.withLock { state in
      defer { state.failure = nil }
      return state.failure != nil
    }
    if wasFailing { logger.info("The view is being followed again", metadata: metadata) }
  }

  private func failed(_ error: DirectoryError) {
    // The program is ending, and its client with it.
    guard !Task.isCancelled else { return }
    let isFirst = state.withLock { state in
      defer { state.failure = error }
      return state.failure == nil
    }
    logger.log(
      level: isFirst ? .warning : .debug, "The view can't be read; going on with the last one",
      metadata: metadata.merging(["error": "\(error.message)"]) { $1 })
  }

  private var metadata: Logger.Metadata { ["pushring.cluster": "\(directory.cluster)"] }
}

extension Window {
  fileprivate func isSame(as other: Window?) -> Bool {
    settled.stamp == other?.settled.stamp && current.stamp == other?.current.stamp
  }
}
