/// Closes a connection from which no byte came for the limit. A peer that is alive answers PINGs.
///
/// The library's keep-alive sends them, but when one is not answered it only begins a graceful shutdown, which waits for
/// the calls of the very peer that is gone.
internal import NIOCore

final class SilenceHandler: ChannelInboundHandler {
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

extension SilenceHandler {
  /// - Parameter limit: longer than a PING and its answer may take.
  static func add(to channel: any Channel, limit: Duration) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(SilenceHandler(limit: TimeAmount(limit)), position: .first)
    }
  }
}
