import NIOCore

/// Subscribes when it is added to a greeted connection, and carries out what `SubscriptionStateMachine` decides.
final class SubscriptionHandler: ChannelInboundHandler {
  typealias InboundIn = RedisValue
  typealias OutboundOut = ByteBuffer

  private var machine: SubscriptionStateMachine
  private let channels: [String]
  private let interval: TimeAmount
  private let emit: (RedisSubscriptionEvent) -> Void
  private var timer: Scheduled<Void>?

  init(channels: [String], interval: Duration, emit: @escaping (RedisSubscriptionEvent) -> Void) {
    machine = SubscriptionStateMachine(channelCount: channels.count)
    self.channels = channels
    self.interval = TimeAmount(interval)
    self.emit = emit
  }

  func handlerAdded(context: ChannelHandlerContext) {
    send(RedisCommand(["SUBSCRIBE"] + channels.map { RedisArgument($0) }), context)
    startTimer(context)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    // Also breaks the cycle of task and handler.
    timer?.cancel()
    timer = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch machine.replyReceived(unwrapInboundIn(data)) {
    case .nothing: break
    case .subscribed: emit(.subscribed)
    case .message(let channel, let payload): emit(.message(channel: channel, payload: payload))
    case .giveUp(let reason): context.fireErrorCaught(reason)
    }
  }

  private func startTimer(_ context: ChannelHandlerContext) {
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: interval) {
      self.startTimer(context)
      self.intervalPassed(context)
    }
  }

  private func intervalPassed(_ context: ChannelHandlerContext) {
    switch machine.intervalPassed() {
    case .nothing: break
    case .sendPing: send(["PING"], context)
    case .giveUp(let reason): context.fireErrorCaught(reason)
    }
  }

  private func send(_ command: RedisCommand, _ context: ChannelHandlerContext) {
    var buffer = ByteBuffer()
    buffer.writeRedisCommand(command)
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }
}
