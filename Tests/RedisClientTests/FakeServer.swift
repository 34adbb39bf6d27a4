import NIOCore
import NIOPosix
import RedisClient

/// Answers whatever arrives with the same bytes: a server that does not speak Redis, or speaks it badly.
struct FakeServer {
  private let channel: any Channel

  var configuration: RedisConfiguration {
    var configuration = RedisConfiguration(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    configuration.commandTimeout = patience
    return configuration
  }

  static func with<Value: Sendable>(
    answering bytes: String, _ body: (FakeServer) async throws -> Value
  ) async throws -> Value {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { child in
        child.eventLoop.makeCompletedFuture { try child.pipeline.syncOperations.addHandler(Answer(bytes: bytes)) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    do {
      let value = try await body(FakeServer(channel: channel))
      try await channel.close()
      return value
    } catch {
      try await channel.close()
      throw error
    }
  }

  private final class Answer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    let bytes: String
    init(bytes: String) { self.bytes = bytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
    }
  }
}
