internal import Hummingbird
internal import Listening
public import Logging
public import ServiceLifecycle

/// `/healthz`, `/readyz` and `/metrics` over HTTP, on a port of its own: an orchestrator must be able to ask when the main
/// port is full or draining. It has no authentication and shows no user data; keep it off the public network.
public final class AdministrationServer: Service {
  private let host: String
  private let port: Int
  private let registry: MetricRegistry
  private let notReadyReason: @Sendable () -> String?
  private let logger: Logger
  private let bound = AsyncStream<Int>.makeStream(bufferingPolicy: .bufferingNewest(1))

  /// - Parameter notReadyReason: nil when ready, otherwise why not; asked at every `/readyz`.
  public init(
    host: String, port: Int, registry: MetricRegistry, notReadyReason: @escaping @Sendable () -> String?, logger: Logger
  ) {
    self.host = host
    self.port = port
    self.registry = registry
    self.notReadyReason = notReadyReason
    self.logger = logger
  }

  /// Serves until the task is cancelled or shut down gracefully. Throws `ListenError` when it can't listen.
  public func run() async throws {
    // Hummingbird's own lines, one per start and stop, add nothing to ours, and its errors of a stop are none: what is
    // wrong it throws.
    var quiet = logger
    quiet.logLevel = .critical
    let application = Application(
      router: router(),
      configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: "pushring"),
      onServerRunning: { [logger, bound] channel in
        let port = channel.localAddress?.port ?? 0
        logger.info("Administration endpoint is listening", metadata: ["listen": "\(self.host):\(port)"])
        bound.continuation.yield(port)
        bound.continuation.finish()
      },
      logger: quiet)
    defer { bound.continuation.finish() }
    do {
      try await application.run()
    } catch is CancellationError {
      return
    } catch {
      throw ListenError(
        description: ListenFailure(
          error, what: "for administration", host: host, port: port, flag: "--admin-listen"
        ).description)
    }
  }

  /// The bound port once it listens; nil when it stopped before. For one caller.
  public func boundPort() async -> Int? {
    for await port in bound.stream { return port }
    return nil
  }

  private func router() -> Router<BasicRequestContext> {
    let router = Router()
    router.get("/healthz") { _, _ in plain(.ok, "ok\n") }
    router.get("/readyz") { [notReadyReason] _, _ in
      guard let reason = notReadyReason() else { return plain(.ok, "ready\n") }
      return plain(.serviceUnavailable, "not ready: \(reason)\n")
    }
    router.get("/metrics") { [registry] _, _ in
      plain(.ok, registry.exposition(), contentType: MetricRegistry.contentType)
    }
    return router
  }
}

private func plain(
  _ status: HTTPResponse.Status, _ text: String, contentType: String = "text/plain; charset=utf-8"
) -> Response {
  Response(
    status: status, headers: [.contentType: contentType], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
}

/// Could not listen; the message says where, why, and which flag to change.
public struct ListenError: Error, Sendable, CustomStringConvertible {
  public let description: String
}
