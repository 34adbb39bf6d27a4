internal import Foundation
public import Logging
internal import Placement
public import RedisDirectory
internal import Routing
public import ServiceLifecycle
internal import Sessions
internal import Synchronization

/// Pushes messages to users: finds the pods that hold their sessions, and calls each once.
///
/// Stateless: any number of Senders serve one cluster, and nothing is lost with one but the pushes it had in flight.
/// To embed one, run its parts beside it, as services or in a task group:
///
/// ```swift
/// let redis = try RedisConfiguration(url: "redis://127.0.0.1:6379")
/// let client = RedisClient(configuration: redis, logger: logger)
/// let directory = RedisDirectory(client: client, cluster: try ClusterName("main"), logger: logger)
/// let follower = ViewFollower(directory: directory, configuration: redis, logger: logger)
/// let sender = Sender(configuration: .init(), directory: directory, follower: follower, logger: logger)
///
/// try await withThrowingTaskGroup(of: Void.self) { group in
///   group.addTask { await client.run() }
///   group.addTask { await follower.run() }
///   group.addTask { try await sender.run() }
///   let result = try await sender.push(Push(user: "alice", text: "hello"))
///   …
/// }
/// ```
public final class Sender: Service {
  public let configuration: SenderConfiguration
  private let directory: RedisDirectory
  private let follower: ViewFollower
  private let observer: any SenderObserver
  private let logger: Logger
  private let links: LinkTable
  private let registry: RegistryReader
  private let pushes: PushTable
  private let refreshes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// - Parameter follower: somebody has to `run` it, as well as the directory's client.
  public init(
    configuration: SenderConfiguration, directory: RedisDirectory, follower: ViewFollower,
    observer: any SenderObserver = SenderMetrics(), logger: Logger
  ) {
    self.configuration = configuration
    self.directory = directory
    self.follower = follower
    self.observer = observer
    self.logger = logger
    links = LinkTable(
      configuration: configuration, window: { follower.window }, observer: observer, logger: logger)
    registry = RegistryReader(directory: directory, follower: follower, limit: configuration.maximumRegistryReads)
    pushes = PushTable(maximum: configuration.maximumInFlight, observer: observer)
  }

  /// Nil when pushes are possible; otherwise why not, for `/readyz`.
  public var notReadyReason: String? {
    guard pushes.isOpen else { return "the Sender does not run, or is stopping" }
    guard let window = follower.window else { return "no view of the cluster is known yet" + becauseOfFailure }
    guard window.current.members.contains(where: { $0.state == .active }) else {
      return "the cluster has no active pod"
    }
    return nil
  }

  private var becauseOfFailure: String { follower.failure.map { ": \($0.message)" } ?? "" }

  /// Holds the streams to the pods until the task is cancelled or shut down gracefully; returns when the pushes in
  /// flight are answered, within `pushTimeout`. To be called once.
  public func run() async throws {
    pushes.open()
    // Unstructured, because the pushes in flight need it beyond the cancellation of this task.
    let work = Task { await self.work() }
    try? await gracefulShutdown()
    await Task { await self.pushes.drain(limit: self.configuration.pushTimeout) }.value
    work.cancel()
    await work.value
  }

  private func work() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.links.run() }
      group.addTask { await self.registry.run() }
      group.addTask { await self.pushes.run() }
      group.addTask { for await window in self.follower.windows() { self.links.follow(window.current) } }
      group.addTask { for await _ in self.refreshes.stream { _ = try? await self.follower.refresh() } }
      group.addTask { await self.watchForStalls() }
    }
  }

  private func watchForStalls() async {
    let interval = min(.milliseconds(250), configuration.stallTimeout / 4)
    while (try? await Task.sleep(for: interval)) != nil { links.checkForStalls(now: .now) }
  }

  // MARK: Pushing

  /// Delivers one message to one user's sessions.
  /// - Throws: `PushError` when nothing was tried. Everything later, also an unreachable pod, is told in the result.
  public func push(_ push: Push) async throws(PushError) -> PushResult {
    do {
      return try await run(try PreparedPush(push, configuration))
    } catch {
      observer.pushRefused(error.code)
      throw error
    }
  }

  /// The same message, `push`, to many users in place of its own; one result each, in their order.
  /// - Parameter concurrency: pushes of this call in flight at the same time.
  public func pushMany(_ push: Push, to users: [String], concurrency: Int = 256) async
    -> [Result<PushResult, PushError>]
  {
    let message: OutboundMessage
    do { message = try PreparedPush.message(of: push, configuration) } catch {
      return users.map { _ in .failure(error) }
    }
    return await withTaskGroup(of: (Int, Result<PushResult, PushError>).self) { group in
      var results = [Result<PushResult, PushError>?](repeating: nil, count: users.count)
      var running = 0
      for (index, user) in users.enumerated() {
        if running >= max(1, concurrency), let (done, result) = await group.next() {
          results[done] = result
          running -= 1
        }
        var single = push
        single.user = user
        group.addTask { [single] in (index, await self.outcome(of: single, message)) }
        running += 1
      }
      for await (done, result) in group { results[done] = result }
      return results.compactMap { $0 }
    }
  }

  /// Pushes all that the sequence gives, up to `concurrency` at a time: when so many are in flight, no more are taken
  /// from it. `answered` is called for each, in any order, and counts as part of it.
  public func push<Pushes: AsyncSequence & Sendable, Tag: Sendable>(
    each pushes: Pushes, concurrency: Int = 1024,
    answered: @escaping @Sendable (Tag, Result<PushResult, PushError>) async throws -> Void
  ) async throws where Pushes.Element == (Tag, Push) {
    try await withThrowingTaskGroup(of: Void.self) { group in
      var running = 0
      for try await (tag, push) in pushes {
        if running >= max(1, concurrency) {
          try await group.next()
          running -= 1
        }
        group.addTask { try await answered(tag, await self.outcome(of: push, nil)) }
        running += 1
      }
      try await group.waitForAll()
    }
  }

  private func outcome(of push: Push, _ message: OutboundMessage?) async -> Result<PushResult, PushError> {
    do throws(PushError) {
      guard let message else { return .success(try await self.push(push)) }
      return .success(try await run(try PreparedPush(push, configuration, message: message)))
    } catch {
      return .failure(error)
    }
  }

  private func run(_ push: PreparedPush) async throws(PushError) -> PushResult {
    guard let window = follower.window else {
      throw PushError(
        code: .unavailable,
        message: "no view of the cluster is known yet\(becauseOfFailure); nothing was delivered"
          + (follower.failure == nil ? ". Do pods run, with the cluster's name \(directory.cluster)?" : ""))
    }
    let started = ContinuousClock.now
    let run = PushRun(
      push, window: window, links: links, registry: registry, audits: auditRequest(),
      isViewFresh: { [self] in isViewFresh }, windowSeen: { [self] in windowSeen($0) })
    let id = try pushes.admit(run)
    defer { pushes.remove(id) }
    let result = await run.result()
    let answer = PushResult(push, result, view: run.view, duration: started.duration(to: .now))
    observer.pushEnded(answer)
    noteAudit(result.audit, answer)
    return answer
  }

  /// A claim counts only while our view was confirmed less than a lease ago: within that time no member that the claim
  /// rests on can have been removed.
  private var isViewFresh: Bool {
    guard let confirmedAt = follower.confirmedAt else { return false }
    return confirmedAt.duration(to: .now) < (directory.clusterSettings ?? directory.settings).lease
  }

  /// For one push in `auditInterval`, by chance, so that no pattern of pushes escapes it.
  private func auditRequest() -> AuditRequest? {
    guard configuration.auditInterval > 0, Int.random(in: 0..<configuration.auditInterval) == 0 else { return nil }
    // Epochs are microseconds of Redis' clock, which may run a little apart from ours; and from its registration until
    // its welcome a session may wait for as long as a lease.
    let lease = (directory.clusterSettings ?? directory.settings).lease
    let limit = Int64(Date().timeIntervalSince1970) - lease.components.seconds * 2 - 3
    return AuditRequest(epochsBefore: Epoch(rawValue: UInt64(max(0, limit)) * 1_000_000))
  }

  private func noteAudit(_ audit: RouteAudit, _ result: PushResult) {
    switch audit {
    case .none: break
    case .agreed: observer.audited(missedSessions: 0)
    case .disagreed(let count):
      observer.audited(missedSessions: count)
      logger.error(
        "A pod said that it held all sessions of a user, and did not: please report this with the pods' logs",
        metadata: ["user.id": "\(result.user)", "sessions.missed": "\(count)", "view": "\(result.viewVersion)"])
    }
  }

  /// A pod that knows a newer view than we do: ours is read again.
  private func windowSeen(_ stamps: WindowStamps) {
    guard let window = follower.window, stamps.current.version > window.current.stamp.version else { return }
    refreshes.continuation.yield()
  }
}
