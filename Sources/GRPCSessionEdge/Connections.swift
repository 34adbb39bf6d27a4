/// The open TCP connections, because the library neither ends dead ones nor, when it stops, those with calls left:
///
/// - Its keep-alive sends PINGs, but when one is not answered it only begins a graceful shutdown, which waits for the
///   calls of the very peer that is gone. So `SilenceHandler` closes a connection from which nothing came for as long
///   as a PING and its answer may take.
/// - Its serving task waits for streams that the client has not half-closed, even when it is cancelled. So the edge
///   closes the connections themselves at the end.
/// - Its writer learns that a stream takes no more only when the connection's event loop has run, and until then takes
///   any amount. So a call that writes much waits for that loop now and then (`caughtUp`).
internal import NIOCore
internal import Synchronization

final class Connections: Sendable {
  /// By the peer's address, which is what the library tells of a call's connection.
  private let open = Mutex<[String: any Channel]>([:])
  private let silenceLimit: TimeAmount

  /// - Parameter silenceLimit: how long nothing may come from a peer.
  init(silenceLimit: Duration) { self.silenceLimit = TimeAmount(silenceLimit) }

  func accepted(_ channel: any Channel) -> EventLoopFuture<Void> {
    let peer = channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? ""
    open.withLock { $0[peer] = channel }
    channel.closeFuture.whenComplete { [self] _ in
      open.withLock { open in if open[peer] === channel { open[peer] = nil } }
    }
    return channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(SilenceHandler(limit: silenceLimit), position: .first)
    }
  }

  /// Returns when the event loop of the peer's connection has done all that it was given before.
  func caughtUp(_ peer: String) async {
    guard let channel = open.withLock({ $0[peer] }) else { return }
    try? await channel.eventLoop.submit {}.get()
  }

  func closeAll() {
    let channels = open.withLock { Array($0.values) }
    for channel in channels { channel.close(mode: .all, promise: nil) }
  }
}

/// Closes a connection from which no byte came for the limit. A peer that is alive answers PINGs.
private final class SilenceHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let limit: TimeAmount
  private var lastRead = NIODeadline.distantPast
  private var timer: Scheduled<Void>?

  init(limit: TimeAmount) { self.limit = limit }

  func handlerAdded(context: ChannelHandlerContext) {
    lastRead = context.eventLoop.now
    look(context, in: limit)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastRead = context.eventLoop.now
    context.fireChannelRead(data)
  }

  func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  /// One timer at a time, however much is read.
  private func look(_ context: ChannelHandlerContext, in delay: TimeAmount) {
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) {
      let silence = context.eventLoop.now - self.lastRead
      guard silence < self.limit else { return context.close(mode: .all, promise: nil) }
      self.look(context, in: self.limit - silence)
    }
  }
}
