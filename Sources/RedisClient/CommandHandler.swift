import NIOCore

/// Another handler's reason to close the connection.
struct ConnectionEnded: Error, Equatable {
  let code: RedisError.Code
  let reason: String
}

/// Writes calls and gives replies to them. Lives on the connection's event loop.
///
/// Calls that arrive in one turn of the loop share one flush, hence (nearly always) one system call and one packet.
final class CommandHandler: ChannelInboundHandler {
  typealias InboundIn = RedisValue
  typealias OutboundOut = ByteBuffer

  private var inFlight: InFlightQueue<CommandBatch>
  private var context: ChannelHandlerContext?
  private var flushIsDue = false
  private var hasReceived = false
  private var timer: Scheduled<Void>?
  /// Why the connection ends: the first reason given. Code and text.
  private(set) var closeReason: (code: RedisError.Code, text: String)?
  private let configuration: RedisConfiguration

  init(configuration: RedisConfiguration) {
    self.configuration = configuration
    inFlight = InFlightQueue(limit: configuration.maximumInFlight)
  }

  var commandsInFlight: Int { inFlight.count }

  // MARK: Out

  func submit(_ batch: CommandBatch) {
    guard let context, context.channel.isActive, closeReason == nil else {
      return batch.failed(.unavailable, "the connection was just lost: \(closeReason?.text ?? "it is closed")")
    }
    guard inFlight.hasRoom(for: batch.count) else { return batch.failed(.overloaded, overloadedReason(batch)) }
    guard batch.willBeWritten() else { return }
    inFlight.added(batch, replies: batch.count, deadline: batch.deadline)
    context.write(wrapOutboundOut(batch.encoded), promise: nil)
    flushLater(context)
    startTimer(context)
  }

  private func overloadedReason(_ batch: CommandBatch) -> String {
    "\(inFlight.count) commands are in flight and \(batch.count) more would exceed the limit of \(inFlight.limit); "
      + "send less at once, or raise maximumInFlight"
  }

  private func flushLater(_ context: ChannelHandlerContext) {
    guard !flushIsDue else { return }
    flushIsDue = true
    context.eventLoop.assumeIsolated().execute {
      self.flushIsDue = false
      self.context?.flush()
    }
  }

  // MARK: In

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    hasReceived = true
    let value = unwrapInboundIn(data)
    switch inFlight.replyReceived() {
    case .deliver(let batch): batch.received(value)
    case .unexpected: close(.protocolViolation, "the server sent a reply that nothing was asked for: \(value)")
    }
  }

  // MARK: Time

  /// At most one timer runs. It is not moved when the head of the queue is answered: it asks again when it fires.
  private func startTimer(_ context: ChannelHandlerContext) {
    guard timer == nil, let deadline = inFlight.earliestDeadline else { return }
    let wait = max(.zero, deadline - .now)
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) {
      self.timer = nil
      self.timerFired(context)
    }
  }

  private func timerFired(_ context: ChannelHandlerContext) {
    switch inFlight.timerFired(now: .now) {
    case .nothingDue: startTimer(context)
    case .giveUp: close(.timeout, timeoutReason)
    }
  }

  private var timeoutReason: String {
    let silentTLS = configuration.usesTLS && !hasReceived
    return "no reply within \(configuration.commandTimeout.formatted): the server hangs, the network is cut"
      + (silentTLS ? ", or the server does not speak TLS on this port" : "")
  }

  // MARK: End

  /// Only the first reason counts.
  func close(_ code: RedisError.Code, _ text: String) {
    if closeReason == nil { closeReason = (code, text) }
    context?.close(promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let violation = error as? ReplyReader.Violation {
      close(.protocolViolation, "what answers does not speak Redis' protocol (\(violation.reason)): check the address")
    } else if let ended = error as? ConnectionEnded {
      close(ended.code, ended.reason)
    } else {
      close(.unavailable, ConnectionFailure.text(error, configuration))
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    timer = nil
    if closeReason == nil { closeReason = (.unavailable, "the server closed the connection") }
    failAll()
    context.fireChannelInactive()
  }

  /// The calls past their deadline timed out; those behind them lost their connection.
  private func failAll() {
    guard let reason = closeReason else { return }
    let now = ContinuousClock.now
    for batch in inFlight.connectionClosed() {
      let isCause = reason.code != .timeout || batch.deadline <= now
      batch.failed(isCause ? reason.code : .unavailable, isCause ? reason.text : "connection given up: \(reason.text)")
    }
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    failAll()
  }
}
