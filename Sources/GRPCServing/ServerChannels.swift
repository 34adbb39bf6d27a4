/// The sockets of a grpc-swift server: the one that listens, and the accepted ones.
///
/// The library offers two ways to end a server, and neither is enough:
///
/// - A graceful shutdown waits for the calls without bound.
/// - Cancelling the serving task while connections come in ends the process: NIO traps over a connection that was
///   accepted and that nobody serves ("Deinited NIOAsyncWriter without calling finish()",
///   https://github.com/apple/swift-nio/issues/2637). And the task still waits for streams that the client has not
///   half-closed.
///
/// So `end` closes the listening socket, then the connections, and the serving task ends by itself.
public import GRPCNIOTransportHTTP2Posix
public import NIOCore
internal import Synchronization

public final class ServerChannels: Sendable {
  private struct State {
    var listener: (any Channel)?
    /// By the peer's address, which is what the library tells of a call's connection.
    var connections: [String: any Channel] = [:]
    var isEnded = false
  }

  private let state = Mutex(State())

  /// The longest that a serving task may take after its connections are closed; then it is cancelled.
  private static let patience = Duration.seconds(2)

  public init() {}

  /// Makes a server with this configuration keep its sockets here.
  /// - Parameter accepted: what else to do with a new connection.
  public func watch(
    _ configuration: inout HTTP2ServerTransport.Posix.Config,
    accepted: @escaping @Sendable (any Channel) -> EventLoopFuture<Void> = { $0.eventLoop.makeSucceededVoidFuture() }
  ) {
    configuration.channelDebuggingCallbacks.onBindTCPListener = { channel in
      let isEnded = self.state.withLock { state in
        state.listener = channel
        return state.isEnded
      }
      if isEnded { channel.close(mode: .all, promise: nil) }
      return channel.eventLoop.makeSucceededVoidFuture()
    }
    configuration.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
      self.add(channel)
      return accepted(channel)
    }
  }

  private func add(_ channel: any Channel) {
    let peer = channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? ""
    let isEnded = state.withLock { state in
      state.connections[peer] = channel
      return state.isEnded
    }
    channel.closeFuture.whenComplete { [self] _ in
      state.withLock { state in if state.connections[peer] === channel { state.connections[peer] = nil } }
    }
    if isEnded { channel.close(mode: .all, promise: nil) }
  }

  /// Returns when the event loop of the peer's connection has done all that it was given before. The library's writer
  /// learns that a stream takes no more only then, and until then takes any amount.
  public func caughtUp(_ peer: String) async {
    guard let channel = state.withLock({ $0.connections[peer] }) else { return }
    try? await channel.eventLoop.submit {}.get()
  }

  /// Accepts no more connections, cuts those that are open, and returns when the server has ended.
  /// - Parameter serving: the task in which the server's `serve()` runs.
  public func end(_ serving: Task<Void, any Error>) async {
    let listener = state.withLock { state in
      state.isEnded = true
      return state.listener
    }
    if let listener {
      listener.close(mode: .all, promise: nil)
      try? await listener.closeFuture.get()
    }
    for channel in state.withLock({ Array($0.connections.values) }) { channel.close(mode: .all, promise: nil) }
    let cancelling = Task {
      if listener != nil { try? await Task.sleep(for: Self.patience) }
      serving.cancel()
    }
    _ = await serving.result
    cancelling.cancel()
  }
}
