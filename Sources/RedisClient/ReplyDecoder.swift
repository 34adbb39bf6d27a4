import NIOCore

/// Bytes of the connection to replies, by hiredis' parser.
final class ReplyDecoder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = RedisValue

  private var reader = ReplyReader()

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    do throws(ReplyReader.Violation) {
      try unwrapInboundIn(data).withUnsafeReadableBytes { bytes throws(ReplyReader.Violation) in
        try reader.feed(bytes)
      }
      while let value = try reader.next() { context.fireChannelRead(wrapInboundOut(value)) }
    } catch {
      context.fireErrorCaught(error)
    }
  }
}
