internal import GRPCCore
internal import Synchronization
internal import Wire

/// One session stream, running in a task of its own, so that two can overlap while a session moves.
final class SessionStream: Sendable {
  enum Change: Sendable {
    case welcome(Pushring_V1_Welcome)
    case reconnect(Pushring_V1_Reconnect)
    case ended(StreamEnd)
  }

  let endpoint: String
  /// Welcome, requests to reconnect, and the end. For one reader.
  let changes: AsyncStream<Change>
  private let changed: AsyncStream<Change>.Continuation
  private let outbound: AsyncStream<Pushring_V1_ClientFrame>
  private let outboundFrames: AsyncStream<Pushring_V1_ClientFrame>.Continuation
  private let state = Mutex(State())

  private struct State {
    var tasks: [Task<Void, Never>] = []
    var pod: String?
  }

  init(endpoint: String) {
    self.endpoint = endpoint
    (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(64))
    (outbound, outboundFrames) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(10_000))
  }

  /// - Parameters:
  ///   - welcomeTimeout: the stream ends with DEADLINE_EXCEEDED when no Welcome came by then.
  ///   - onWelcome: called before the first message is.
  func start(
    _ hello: Pushring_V1_Hello, configuration: SessionClientConfiguration,
    onWelcome: @escaping @Sendable (Pushring_V1_Welcome) -> Void,
    onMessage: @escaping @Sendable (Pushring_V1_Message, _ pod: String) -> Void,
    onDropped: @escaping @Sendable (Pushring_V1_Dropped) -> Void
  ) {
    let connection = PodConnection(endpoint: endpoint, configuration: configuration)
    let stream = Task {
      let end = await connection.connect(hello: hello, outbound: outbound, answer: outboundFrames) { event in
        switch event {
        case .welcome(let welcome):
          guard self.markWelcomed(by: welcome.podID) else { return }
          onWelcome(welcome)
          self.changed.yield(.welcome(welcome))
        case .message(let message):
          onMessage(message, self.state.withLock { $0.pod } ?? "")
          if configuration.acknowledges {
            self.outboundFrames.yield(.with { $0.acknowledge.messageIds = [message.id] })
          }
        case .dropped(let dropped): onDropped(dropped)
        case .reconnect(let reconnect): self.changed.yield(.reconnect(reconnect))
        case .ended: break
        }
      }
      self.finish(end)
    }
    let deadline = Task {
      guard (try? await Task.sleep(for: configuration.connectTimeout)) != nil, !self.isWelcomed else { return }
      let timeout = configuration.connectTimeout
      self.finish(StreamEnd(code: 4, message: "\(endpoint): no Welcome within \(timeout)"))
      stream.cancel()
    }
    state.withLock { $0.tasks = [stream, deadline] }
  }

  /// Half-closes, gives the pod a moment to send what it has and to end the stream, and then cancels.
  func close(within limit: Duration = .seconds(1)) async {
    outboundFrames.finish()
    let tasks = state.withLock { $0.tasks }
    guard let stream = tasks.first else { return }
    let bound = Task {
      try? await Task.sleep(for: limit)
      stream.cancel()
    }
    await stream.value
    bound.cancel()
    tasks.last?.cancel()
  }

  /// Ends at once.
  func cancel() {
    state.withLock { $0.tasks }.forEach { $0.cancel() }
  }

  private var isWelcomed: Bool { state.withLock { $0.pod != nil } }

  /// False when it was before.
  private func markWelcomed(by pod: String) -> Bool {
    state.withLock { state in
      guard state.pod == nil else { return false }
      state.pod = pod
      return true
    }
  }

  private func finish(_ end: StreamEnd) {
    changed.yield(.ended(end))
    changed.finish()
    outboundFrames.finish()
  }
}
