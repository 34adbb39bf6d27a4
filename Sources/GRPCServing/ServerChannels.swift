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
internal import NIOCore
internal import Synchronization

public final class ServerChannels: Sendable {
  private struct State {
    var listener: (any Channel)?
    var connections: [ObjectIdentifier: any Channel] = [:]
    var isEnded = false
  }

  private let state = Mutex(State())

  /// The longest that a serving task may take after its connections are closed; then it is cancelled.
  private static let patience = Duration.seconds(2)

  public init() {}

  /// Makes a server with this configuration keep its sockets here.
  public func watch(_ configuration: inout HTTP2ServerTransport.Posix.Config) {
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
      return channel.eventLoop.makeSucceededVoidFuture()
    }
  }

  private func add(_ channel: any Channel) {
    let key = ObjectIdentifier(channel)
    let isEnded = state.withLock { state in
      state.connections[key] = channel
      return state.isEnded
    }
    channel.closeFuture.whenComplete { [self] _ in state.withLock { $0.connections[key] = nil } }
    if isEnded { channel.close(mode: .all, promise: nil) }
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
