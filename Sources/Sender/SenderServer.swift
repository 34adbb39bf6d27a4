internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCServing
internal import Listening
public import Logging
public import ServiceLifecycle

/// The gRPC services `pushring.v1.Pushes` and `grpc.health.v1.Health` around a `Sender`, which somebody else runs.
public final class SenderServer: Service {
  private let sender: Sender
  private let host: String
  private let port: Int
  private let logger: Logger
  private let channels = ServerChannels()
  private let transport: HTTP2ServerTransport.Posix

  /// Above a payload of the largest size that can be configured (16 MiB) with the users of one PushMany at their longest:
  /// a larger request is cut off without a word, and one that is too large for this Sender is to be told its limit.
  private static let maximumRequestBytes = 24 * 1024 * 1024

  /// - Parameters:
  ///   - host: an IP address of this machine, or a name of it.
  ///   - port: 0 for any free port; `address()` tells which.
  public init(sender: Sender, host: String, port: Int, logger: Logger) {
    self.sender = sender
    self.host = host
    self.port = port
    self.logger = logger
    transport = HTTP2ServerTransport.Posix(
      address: listenAddress(host: host, port: port), transportSecurity: .plaintext,
      config: .defaults { [channels] config in
        channels.watch(&config)
        config.rpc.maxRequestPayloadSize = Self.maximumRequestBytes
        config.http2.targetWindowSize = 1024 * 1024
        // Without a figure the library enforces 100, and tells nobody: the 101st call ends the connection with all the others.
        config.http2.maxConcurrentStreams = sender.configuration.maximumInFlight
        config.connection.keepalive.time = .seconds(30)
        config.connection.keepalive.timeout = .seconds(10)
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(5)
      })
  }

  /// The bound "host:port", once it listens; throws when it can't.
  public func address() async throws -> String {
    do {
      let address = try await transport.listeningAddress
      return address.ipv4.map { "\($0.host):\($0.port)" } ?? address.ipv6.map { "[\($0.host)]:\($0.port)" }
        ?? "\(address)"
    } catch {
      throw cannotListen(error)
    }
  }

  /// Serves until the task is cancelled or shut down gracefully; then lets pushes in flight finish, within their
  /// time-out.
  /// - Throws: `SenderError` when it can't listen.
  public func run() async throws {
    let server = GRPCServer(
      transport: transport, services: [PushesService(sender: sender), SenderHealth(sender: sender)])
    // Unstructured, because pushes in flight are to be answered beyond the cancellation of this task.
    let serving = Task { try await server.serve() }
    let stopping = Task {
      try? await gracefulShutdown()
    }
    let announcing = Task { await self.announce() }
    defer { announcing.cancel() }
    let limit = sender.configuration.pushTimeout + .seconds(1)
    let cutOff = Task {
      await stopping.value
      server.beginGracefulShutdown()
      try? await Task.sleep(for: limit)
      if !Task.isCancelled { await channels.end(serving) }
    }
    let outcome = await withTaskCancellationHandler {
      await serving.result
    } onCancel: {
      stopping.cancel()
    }
    let wasStopped = stopping.isCancelled || Task.isShuttingDownGracefully
    cutOff.cancel()
    stopping.cancel()
    if case .failure(let error) = outcome, !wasStopped { throw cannotListen(error) }
  }

  private func announce() async {
    guard let address = try? await address() else { return }
    logger.info("Listening for pushes", metadata: ["address": "\(address)"])
  }

  private func cannotListen(_ error: any Error) -> SenderError {
    let failure = ListenFailure(
      (error as? RuntimeError)?.cause ?? error, what: "for pushes", host: host, port: port, flag: "--listen")
    return SenderError(message: failure.description)
  }
}
