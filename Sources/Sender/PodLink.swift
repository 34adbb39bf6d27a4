internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Logging
internal import NIOCore
internal import Placement
internal import Routing
internal import Synchronization
internal import Wire

// One pod's connection with its one long-lived Deliver stream. Each attempt has a gRPC client of its own, so that the
// pauses between attempts, and what fails when, are decided here and not in the library; `PodLinkState` has the rules.

final class PodLink: Sendable {
  let member: Member
  private let configuration: SenderConfiguration
  private let logger: Logger
  private let hooks: Hooks
  private let state: Mutex<PodLinkState>
  private let attempt = Mutex(Attempt())
  private let stop = AsyncStream.makeStream(of: Never.self)

  /// What a link needs from, and tells, its surroundings.
  struct Hooks: Sendable {
    /// For the head of each frame.
    let window: @Sendable () -> WindowStamps
    let batchSent: @Sendable (_ calls: Int) -> Void
    let stateChanged: @Sendable () -> Void
  }

  private struct Attempt {
    var wakeUp: AsyncStream<Void>.Continuation?
    var connection: (any Channel)?
    var connectedAt: ContinuousClock.Instant?
    /// Its calls were failed while the connection is still being taken down.
    var isGivenUp = false
  }

  init(member: Member, configuration: SenderConfiguration, hooks: Hooks, logger: Logger) {
    self.member = member
    self.configuration = configuration
    self.hooks = hooks
    var logger = logger
    logger[metadataKey: "pod.id"] = "\(member.podID)"
    logger[metadataKey: "pod.address"] = "\(member.description.peerEndpoint)"
    self.logger = logger
    state = Mutex(
      PodLinkState(
        podID: member.podID,
        limits: .init(
          calls: configuration.maximumCallsPerPod, queuedBytes: configuration.maximumQueuedBytesPerPod,
          batchCalls: configuration.maximumBatchCalls, batchBytes: configuration.maximumBatchBytes)))
  }

  var isUp: Bool { state.withLock { $0.phase == .up } }

  func submit(_ call: PodCall) -> PodLinkState.Submission {
    let submission = state.withLock { $0.submit(call) }
    if case .queued = submission { wakeUp() }
    return submission
  }

  func cancel(_ correlation: UInt64) { state.withLock { $0.cancel(correlation) } }

  /// Fails what waits, and ends `run`.
  func close() {
    let failed = state.withLock { $0.close() }
    stop.continuation.finish()
    for (reply, failure) in failed { reply(.failure(failure)) }
    hooks.stateChanged()
  }

  /// To be called now and then: gives up a connection whose pod owes answers for too long.
  func checkForStall(now: ContinuousClock.Instant) {
    guard state.withLock({ $0.isStalled(now: now, limit: configuration.stallTimeout) }) else { return }
    let stalled = attempt.withLock { attempt in
      attempt.isGivenUp = true
      return attempt
    }
    fail("it gave no answer for \(configuration.stallTimeout)", retriesAtOnce: hasServed(stalled))
    stalled.connection?.close(promise: nil)
  }

  /// Keeps the stream up until the task is cancelled or the link is closed.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.keepConnected() }
      group.addTask { for await _ in self.stop.stream {} }
      await group.next()
      group.cancelAll()
    }
    let failed = state.withLock { $0.close() }
    for (reply, failure) in failed { reply(.failure(failure)) }
  }

  private func keepConnected() async {
    var backoff = configuration.initialBackoff
    while !Task.isCancelled {
      if await connectOnce() {
        backoff = configuration.initialBackoff
        continue
      }
      try? await Task.sleep(for: backoff * Double.random(in: 0.5...1))
      backoff = min(backoff * 2, configuration.maximumBackoff)
    }
  }

  /// One connection from the attempt to its end; true when the next attempt is to be made at once.
  private func connectOnce() async -> Bool {
    let reason: String
    do {
      try await stream()
      reason = "it ended the stream"
    } catch {
      reason = linkFailureWords(error)
    }
    let ended = attempt.withLock { attempt in
      defer { attempt = Attempt() }
      return attempt
    }
    let retriesAtOnce = hasServed(ended)
    if !ended.isGivenUp { fail(reason, retriesAtOnce: retriesAtOnce) }
    return retriesAtOnce
  }

  /// It worked for a while. One that ends as soon as it is there, as on a pod that does not know the service, is no
  /// better than none.
  private func hasServed(_ attempt: Attempt) -> Bool {
    guard let connectedAt = attempt.connectedAt else { return false }
    return connectedAt.duration(to: .now) >= configuration.maximumBackoff
  }

  private func fail(_ reason: String, retriesAtOnce: Bool) {
    let (wasUp, failed) = state.withLock { state in
      let wasUp = state.phase == .up
      return (wasUp, state.failed(reason, retriesAtOnce: retriesAtOnce))
    }
    if wasUp {
      logger.warning("Lost a pod", metadata: ["error": "\(reason)", "calls.failed": "\(failed.count)"])
    }
    for (reply, failure) in failed { reply(.failure(failure)) }
    hooks.stateChanged()
  }

  private func wakeUp() { attempt.withLock { $0.wakeUp }?.yield() }
}

// MARK: - One connection

extension PodLink {
  private func stream() async throws {
    let client = GRPCClient(transport: try makeTransport())
    let (wakeUps, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    attempt.withLock { $0.wakeUp = continuation }
    // Whichever ends first ends the others: the connection, the stream, or the time for the attempt.
    try await withThrowingTaskGroup(of: Ended.self) { group in
      group.addTask {
        try await client.runConnections()
        return .connection
      }
      group.addTask {
        try await self.deliver(client, wakeUps)
        return .connection
      }
      group.addTask { try await self.boundTheAttempt() }
      defer {
        group.cancelAll()
        // An attempt to connect can't be cancelled, but its channel can be closed.
        attempt.withLock { $0.connection }?.close(promise: nil)
      }
      while try await group.next() == .attemptInTime {}
    }
  }

  private enum Ended {
    case connection
    case attemptInTime
  }

  private func boundTheAttempt() async throws -> Ended {
    try await Task.sleep(for: configuration.connectTimeout)
    guard isUp else { throw SenderError(message: "no connection within \(configuration.connectTimeout)") }
    return .attemptInTime
  }

  private func deliver(_ client: GRPCClient<HTTP2ClientTransport.Posix>, _ wakeUps: AsyncStream<Void>) async throws {
    var options = CallOptions.defaults
    options.waitForReady = false
    options.maxResponseMessageBytes = 16 * 1024 * 1024
    // grpc-swift-nio-transport 2.9 takes the limit of what is received from this one, and 4 MiB without.
    options.maxRequestMessageBytes = 24 * 1024 * 1024
    try await Pushring_V1_Delivery.Client(wrapping: client).deliver(options: options) { writer in
      self.connected()
      try await self.writeBatches(to: writer, wakeUps)
    } onResponse: { response in
      for try await batch in response.messages { self.received(batch) }
    }
  }

  /// The library calls for requests when the connection is there.
  private func connected() {
    attempt.withLock { $0.connectedAt = .now }
    state.withLock { $0.connected() }
    logger.debug("Connected to a pod")
    hooks.stateChanged()
  }

  private func writeBatches(to writer: RPCWriter<Pushring_V1_DeliverBatch>, _ wakeUps: AsyncStream<Void>) async throws {
    try await writeQueue(to: writer)
    for await _ in wakeUps {
      // Lets those who are about to push join the frame.
      await Task.yield()
      try await writeQueue(to: writer)
    }
  }

  private func writeQueue(to writer: RPCWriter<Pushring_V1_DeliverBatch>) async throws {
    while var batch = state.withLock({ $0.takeBatch(now: .now) }) {
      batch.window = Pushring_V1_ViewWindow(hooks.window())
      hooks.batchSent(batch.requests.count)
      try await writer.write(batch)
    }
  }

  private func received(_ batch: Pushring_V1_DeliverResultBatch) {
    let now = ContinuousClock.now
    for result in batch.results {
      guard let reply = state.withLock({ $0.answered(result.correlation, now: now) }) else { continue }
      if result.error.isEmpty {
        let isFromMember = batch.incarnation == member.incarnation.rawValue
        reply(.success(PodAnswer(result, batch.window, isFromMember: isFromMember)))
      } else {
        reply(
          .failure(
            CallFailure(
              kind: .refused, mayHaveArrived: false,
              detail: "pod \(member.podID) refused the call: \(result.error)")))
      }
    }
  }

  private func makeTransport() throws -> HTTP2ClientTransport.Posix {
    try HTTP2ClientTransport.Posix(
      target: PeerAddress(member.description.peerEndpoint).target, transportSecurity: .plaintext,
      config: .defaults { config in
        // The library's own attempts after the first are never waited for.
        config.backoff.initial = .seconds(60)
        config.connection.maxIdleTime = nil
        config.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(3), allowWithoutCalls: true)
        config.http2.targetWindowSize = 1024 * 1024
        config.channelDebuggingCallbacks.onCreateTCPConnection = { [weak self] channel in
          self?.attempt.withLock { $0.connection = channel }
          return channel.eventLoop.makeSucceededVoidFuture()
        }
      })
  }
}
