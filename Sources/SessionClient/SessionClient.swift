public import Logging
internal import Synchronization
internal import Wire

/// Keeps one session open: finds the pod, says Hello, hands on messages, and comes back when the pod is lost or asks it to
/// go elsewhere. What to do next is decided by `SessionPlan`; this does it.
///
/// A move makes before it breaks: the new stream is welcomed while the old one still delivers, and repeats are dropped.
public final class SessionClient: Sendable {
  /// For one reader; finishes after `.ended`.
  public let events: AsyncStream<SessionEvent>
  private let eventSink: AsyncStream<SessionEvent>.Continuation
  private let configuration: SessionClientConfiguration
  private let logger: Logger
  private let state: Mutex<State>

  private struct State {
    var session: String
    var epoch: UInt64 = 0
    var recent: RecentMessageIDs
    var overflowed = false
    var running: Task<SessionEndReason, Never>?
  }

  public init(configuration: SessionClientConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
    (events, eventSink) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(configuration.maximumQueuedEvents))
    state = Mutex(
      State(session: configuration.session, recent: RecentMessageIDs(capacity: configuration.remembersMessages)))
  }

  /// Returns when the session has ended for good: closed, cancelled, taken over, refused or given up. Call once.
  @discardableResult
  public func run() async -> SessionEndReason {
    let work = Task { await keepSession() }
    state.withLock { $0.running = work }
    let result = await withTaskCancellationHandler {
      await work.value
    } onCancel: {
      work.cancel()
    }
    let reason = state.withLock { $0.overflowed } ? .tooSlow : result
    eventSink.yield(.ended(reason))
    eventSink.finish()
    return reason
  }

  /// Ends the session in good order; `run` returns soon after.
  public func close() { state.withLock { $0.running }?.cancel() }

  private func keepSession() async -> SessionEndReason {
    var plan = SessionPlan(
      endpoints: configuration.endpoints, backoff: configuration.backoff,
      maximumAttempts: configuration.maximumAttempts, comesBackWhenTakenOver: configuration.comesBackWhenTakenOver,
      asksForOwner: !configuration.staysAtEndpoints, random: chance())
    var step = plan.start(random: chance())
    while !Task.isCancelled {
      switch step {
      case .locate(let endpoint): step = await locate(via: endpoint, &plan)
      case .connect(let endpoint): step = await holdSession(at: endpoint, &plan)
      case .wait(let pause):
        emit(.reconnecting(reason: plan.lastProblem, pause: pause))
        try? await Task.sleep(for: pause)
        step = plan.waited(random: chance())
      case .end(let reason): return reason
      }
    }
    return .closed
  }

  private func locate(via endpoint: String, _ plan: inout SessionPlan) async -> SessionPlan.Step {
    do {
      let connection = PodConnection(endpoint: endpoint, configuration: configuration)
      let pods = try await connection.locate(user: configuration.user, timeout: configuration.connectTimeout)
      return plan.located(pods, random: chance())
    } catch {
      logger.debug("Locate failed", metadata: ["pod.endpoint": "\(endpoint)", "error": "\(error.text)"])
      return plan.locateFailed(error, random: chance())
    }
  }

  /// From the attempt to the end of the session, through any number of moves.
  private func holdSession(at endpoint: String, _ plan: inout SessionPlan) async -> SessionPlan.Step {
    var stream = open(endpoint, ticket: [])
    var changes = stream.changes.makeAsyncIterator()
    var welcomedAt: ContinuousClock.Instant?
    var triedToMove = false
    while let change = await changes.next() {
      switch change {
      case .welcome(let welcome):
        welcomedAt = .now
        plan.welcomed(successors: welcome.successors.map(\.endpoint))
      case .reconnect(let request):
        triedToMove = true
        guard let moved = await move(from: stream, request) else { continue }
        triedToMove = false
        welcomedAt = .now
        plan.welcomed(successors: moved.welcome.successors.map(\.endpoint))
        stream = moved.stream
        changes = stream.changes.makeAsyncIterator()
      case .ended(let end):
        logger.debug("Stream ended", metadata: ["pod.endpoint": "\(stream.endpoint)", "reason": "\(end.text)"])
        guard let welcomedAt else { return plan.connectFailed(end, random: chance()) }
        // A move that got as far as the registry and then failed makes the old pod say "taken over": by ourselves.
        let actual = triedToMove && end.verdict == .takenOver ? StreamEnd(code: 14, message: "a move failed") : end
        return plan.streamEnded(actual, lasted: welcomedAt.duration(to: .now), random: chance())
      }
    }
    // Cancelled: the iteration ends without an end.
    await stream.close()
    return .end(.closed)
  }

  /// For reading what the old pod has queued, and what it says of messages that it dropped. A pod waits about as long.
  private static let restOfOldStream = Duration.seconds(10)

  /// Nil when no pod took the session: then the old stream goes on to its end.
  private func move(from old: SessionStream, _ request: Pushring_V1_Reconnect) async
    -> (stream: SessionStream, welcome: Pushring_V1_Welcome)?
  {
    emit(.moving(reason: text(request.reason), endpoint: request.endpoint.endpoint))
    // The endpoint that is named has granted a place; only without one the client chooses. The pod paces its requests.
    let named = request.hasEndpoint ? [request.endpoint.endpoint] : request.successors.map(\.endpoint)
    for endpoint in named where !endpoint.isEmpty && endpoint != old.endpoint {
      let stream = open(endpoint, ticket: Array(request.ticket))
      if let welcome = await stream.firstWelcome() {
        await withTaskCancellationHandler {
          await old.close(within: Self.restOfOldStream)
        } onCancel: {
          old.cancel()
        }
        return (stream, welcome)
      }
      stream.cancel()
      if Task.isCancelled { return nil }
    }
    return nil
  }

  private func open(_ endpoint: String, ticket: [UInt8]) -> SessionStream {
    let stream = SessionStream(endpoint: endpoint)
    stream.start(
      hello(ticket: ticket), configuration: configuration,
      onWelcome: { welcome in self.welcomed(welcome, endpoint: endpoint) },
      onMessage: { message, pod in self.received(message, pod: pod) },
      onDropped: { dropped in self.emit(.missed(Int(dropped.messages))) })
    return stream
  }

  private func hello(ticket: [UInt8]) -> Pushring_V1_Hello {
    let (session, epoch) = state.withLock { ($0.session, $0.epoch) }
    var hello = Pushring_V1_Hello()
    hello.userID = configuration.user
    hello.sessionID = session
    hello.epoch = epoch
    hello.labels = configuration.labels
    hello.capabilities.moves = true
    hello.capabilities.acknowledges = configuration.acknowledges
    hello.ticket = .init(ticket)
    return hello
  }

  private func welcomed(_ welcome: Pushring_V1_Welcome, endpoint: String) {
    state.withLock { state in
      state.session = welcome.sessionID
      state.epoch = max(state.epoch, welcome.epoch)
    }
    emit(
      .welcomed(
        Welcomed(
          session: welcome.sessionID, pod: welcome.podID, epoch: welcome.epoch, endpoint: endpoint,
          successors: welcome.successors.map(\.endpoint))))
  }

  private func received(_ message: Pushring_V1_Message, pod: String) {
    guard state.withLock({ $0.recent.insert(message.id) }) else { return }
    emit(
      .message(
        ReceivedMessage(
          id: message.id, payload: Array(message.payload), headers: message.headers, pod: pod,
          sentAtUnixMicroseconds: message.sentAtUnixMicros)))
  }

  private func emit(_ event: SessionEvent) {
    guard case .dropped = eventSink.yield(event) else { return }
    // A message that can't be handed on must not be lost in silence: the session ends, and says so.
    state.withLock { $0.overflowed = true }
    close()
  }

  private func chance() -> Double { Double.random(in: 0..<1) }
}

private func text(_ reason: Pushring_V1_Reconnect.Reason) -> String {
  switch reason {
  case .leaving: "the pod is leaving"
  case .membershipLost: "the pod lost its membership"
  case .rebalance: "the session belongs on another pod"
  case .unspecified, .UNRECOGNIZED: "no reason given"
  }
}

extension SessionStream {
  /// Nil when the stream ended instead, or the task was cancelled. Only before anybody else reads `changes`.
  fileprivate func firstWelcome() async -> Pushring_V1_Welcome? {
    for await change in changes {
      if case .welcome(let welcome) = change { return welcome }
      if case .ended = change { return nil }
    }
    return nil
  }
}
