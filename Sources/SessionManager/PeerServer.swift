/// What Senders and other pods call: a grpc-swift server on its own port, which is not for devices.
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCServing
internal import Listening
internal import Logging
internal import SessionEdge
internal import Synchronization
internal import Wire

final class PeerServer: Sendable {
  private let host: String
  private let port: Int
  private let services: [any RegistrableRPCService]
  private let logger: Logger
  private let bound = OneShot<String>()
  private let running = OneShot<(GRPCServer<HTTP2ServerTransport.Posix>, Task<Void, any Error>)>()
  private let channels = ServerChannels()
  private let isStopping = Atomic(false)

  /// Above what a Sender sends: a batch of 1 MiB, or one message of the largest payload that can be configured (16 MiB).
  private static let maximumBatchBytes = 24 * 1024 * 1024

  init(host: String, port: Int, services: [any RegistrableRPCService], logger: Logger) {
    self.host = host
    self.port = port
    self.services = services
    self.logger = logger
  }

  func address() async throws -> String { try await bound.value() }

  func run() async throws {
    do {
      try await serve()
    } catch {
      let failure = ListenFailure(
        (error as? RuntimeError)?.cause ?? error, what: "for peers", host: host, port: port, flag: "--peer-listen")
      let error = SessionManagerError(message: failure.description)
      bound.fail(error)
      throw error
    }
  }

  private func serve() async throws {
    let transport = HTTP2ServerTransport.Posix(
      address: listenAddress(host: host, port: port), transportSecurity: .plaintext,
      config: .defaults { config in
        channels.watch(&config)
        config.rpc.maxRequestPayloadSize = Self.maximumBatchBytes
        config.http2.targetWindowSize = 1024 * 1024
        // Without a figure the library enforces 100, and tells nobody: the 101st call ends the connection with all the others.
        config.http2.maxConcurrentStreams = 10_000
        config.connection.keepalive.time = .seconds(10)
        config.connection.keepalive.timeout = .seconds(5)
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(1)
      })
    let server = GRPCServer(transport: transport, services: services)
    let serving = Task { try await server.serve() }
    running.succeed((server, serving))
    let announcing = Task { await self.announce(transport) }
    defer { announcing.cancel() }
    do {
      try await withTaskCancellationHandler {
        try await serving.value
      } onCancel: {
        Task { await self.stop(grace: .zero) }
      }
    } catch {
      if isStopping.load(ordering: .relaxed) || Task.isCancelled { return }
      throw error
    }
  }

  private func announce(_ transport: HTTP2ServerTransport.Posix) async {
    guard let address = try? await transport.listeningAddress else { return }
    let text =
      address.ipv4.map { "\($0.host):\($0.port)" } ?? address.ipv6.map { "[\($0.host)]:\($0.port)" } ?? "\(address)"
    logger.info("Listening for peers", metadata: ["peer.address": "\(text)"])
    bound.succeed(text)
  }

  /// Streams of Senders never end by themselves, so after a moment for answers in flight they are cut.
  func stop(grace: Duration) async {
    isStopping.store(true, ordering: .relaxed)
    guard let (server, serving) = running.result else { return }
    server.beginGracefulShutdown()
    let finished = OneShot<Void>()
    let watching = Task {
      _ = await serving.result
      finished.succeed(())
    }
    _ = await finished.value(before: .now.advanced(by: grace))
    watching.cancel()
    await channels.end(serving)
  }
}
