import NIOCore
import NIOPosix
import NIOSSL

/// One connection, from connect to close. The client makes a new one after each loss.
final class RedisConnection: Sendable {
  let channel: any Channel
  private let configuration: RedisConfiguration
  private let handler: NIOLoopBound<CommandHandler>

  /// Must run on the channel's event loop.
  private init(_ channel: any Channel, _ handler: CommandHandler, _ configuration: RedisConfiguration) {
    self.channel = channel
    self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
    self.configuration = configuration
  }

  /// Connects; TLS, if any, goes on in the background and fails the first command if it fails.
  static func open(
    _ configuration: RedisConfiguration, on eventLoop: any EventLoop
  ) async throws(RedisError) -> RedisConnection {
    let tls = try TLS.context(configuration)
    do {
      let bootstrap = ClientBootstrap(group: eventLoop)
        .connectTimeout(TimeAmount(configuration.connectTimeout))
        .channelOption(.socketOption(.so_keepalive), value: 1)
      let initialize = { @Sendable (channel: any Channel) in
        channel.eventLoop.makeCompletedFuture { try setUp(channel, tls, configuration) }
      }
      // An address needs no resolver, whose threads may be busy with names that don't resolve.
      if let address = try? SocketAddress(ipAddress: configuration.host, port: configuration.port) {
        return try await bootstrap.connect(to: address, channelInitializer: initialize)
      }
      return try await bootstrap.connect(
        host: configuration.host, port: configuration.port, channelInitializer: initialize)
    } catch {
      throw ConnectionFailure.error(error, configuration)
    }
  }

  private static func setUp(
    _ channel: any Channel, _ tls: NIOSSLContext?, _ configuration: RedisConfiguration
  ) throws -> RedisConnection {
    let handler = CommandHandler(configuration: configuration)
    let pipeline = channel.pipeline.syncOperations
    if let tls { try pipeline.addHandler(TLS.handler(tls, host: configuration.host)) }
    try pipeline.addHandlers(ReplyDecoder(), handler)
    return RedisConnection(channel, handler, configuration)
  }

  /// From any thread.
  func submit(_ batch: CommandBatch) {
    channel.eventLoop.execute { self.handler.value.submit(batch) }
  }

  func commandsInFlight() async -> Int {
    (try? await channel.eventLoop.submit { self.handler.value.commandsInFlight }.get()) ?? 0
  }

  /// Authenticates, selects the database, and asks who answers: after it the server is known to serve us.
  /// - Returns: the server's run id, which is another one in another process; nil when this user may not ask for it.
  func greet() async throws(RedisError) -> String? {
    let commands = Self.greeting(configuration)
    var runID: String?
    let batch = CommandBatch(
      commands, address: configuration.address, deadline: .now + configuration.commandTimeout, isRepeatable: true)
    for (reply, command) in zip(await batch.replies(afterSubmitting: submit), commands) {
      switch reply {
      case .success(.bulk(let text)) where command == Self.who:
        runID = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
          .first { $0.hasPrefix("run_id:") }.map { String($0.dropFirst("run_id:".count)) }
      case .success:
        break
      // A user without the right to ask is served none the less.
      case .failure(let error) where command == Self.who && error.message.contains(": NOPERM "):
        break
      case .failure(let error):
        throw refusal(error)
      }
    }
    return runID
  }

  private static let who: RedisCommand = ["INFO", "server"]

  private static func greeting(_ configuration: RedisConfiguration) -> [RedisCommand] {
    var commands: [RedisCommand] = []
    if let password = configuration.password {
      let user = configuration.username.map { [RedisArgument($0)] } ?? []
      commands.append(RedisCommand(["AUTH"] + user + [RedisArgument(password)]))
    }
    if configuration.database != 0 { commands.append(["SELECT", RedisArgument(configuration.database)]) }
    return commands + [who]
  }

  /// Nothing of the caller's ran.
  private func refusal(_ error: RedisError) -> RedisError {
    RedisError(code: error.code, message: error.message, mayHaveRun: false)
  }

  /// Puts `handler` in front of the commands': from now on it gets the replies.
  func subscribe(_ makeHandler: @escaping @Sendable () -> SubscriptionHandler) async throws(RedisError) {
    do {
      try await channel.eventLoop.submit {
        let pipeline = self.channel.pipeline.syncOperations
        try pipeline.addHandler(makeHandler(), position: .before(self.handler.value))
      }.get()
    } catch {
      throw await closed()
    }
  }

  /// Waits for the end of the connection and says why it ended. When the calling task is cancelled the connection is
  /// closed.
  func closed() async -> RedisError {
    await withTaskCancellationHandler {
      // The future fails never: closing a channel can't.
      try? await channel.closeFuture.get()
    } onCancel: {
      close("this client was stopped")
    }
    let reason = try? await channel.eventLoop.submit { self.handler.value.closeReason }.get()
    return RedisError(
      code: reason?.code ?? .unavailable, message: "\(configuration.address): \(reason?.text ?? "connection closed")",
      mayHaveRun: false)
  }

  func close(_ reason: String) {
    channel.eventLoop.execute { self.handler.value.close(.unavailable, reason) }
  }
}
