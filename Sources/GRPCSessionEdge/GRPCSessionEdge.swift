/// The session edge on grpc-swift-2.
///
/// It gets the whole path running with a server that is known to speak gRPC. It costs tens of kilobytes and three
/// tasks for each stream, so an engine of our own replaces it behind `SessionEdge` later: that is why no grpc-swift
/// type is public here.
///
/// Three properties of the library shape this file:
/// - Graceful shutdown waits for the calls without bound, and cancels their handles at once. So the edge keeps its
///   own list of calls, ignores those cancellations, and cuts what is left when the deadline has passed
///   (`ServerChannels`).
/// - A peer that falls silent keeps its connection. So it is closed here (`SilenceHandler`).
/// - A handler that waits for something else than the stream is not woken when the client goes. So each call has a
///   reader that always waits for the stream (`GRPCEdgeCall`).
/// - A message above the transport's limit resets the stream without a status. So the transport's limit lies well
///   above ours, and the call is ended here with RESOURCE_EXHAUSTED; only a far larger message is cut off.
///
/// Known limits: the listen backlog is the library's 128; a stream that was ended, and whose client answers PINGs but
/// neither reads nor half-closes, stays until its connection goes.
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCServing
internal import Listening
public import Logging
public import SessionEdge
internal import Synchronization

public final class GRPCSessionEdge: SessionEdge {
  private let configuration: EdgeConfiguration
  private let logger: Logger
  private let bound = OneShot<String>()
  private let drained = OneShot<Void>()
  private let connections = ServerChannels()
  private let state = Mutex(State())

  /// How long clients without calls have to close their connections.
  private static let goodbye = Duration.seconds(1)

  /// idle → serving → stopping → (forgotten with the edge); idle → stopping when it is stopped before it ran.
  private struct State {
    var stage = Stage.idle
    var calls: [UInt64: GRPCEdgeCall] = [:]
    var lastCall: UInt64 = 0
  }

  private enum Stage {
    case idle
    case serving(GRPCServer<HTTP2ServerTransport.Posix>, Task<Void, any Error>)
    case stopping
  }

  public init(configuration: EdgeConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
  }

  public func address() async throws -> String { try await bound.value() }

  // MARK: Serving

  public func run(_ application: any EdgeApplication) async throws {
    do {
      try await serve(application)
      bound.fail(EdgeError(message: "the session edge was stopped; make a new one to listen again"))
    } catch {
      bound.fail(error)
      throw error
    }
  }

  private func serve(_ application: any EdgeApplication) async throws {
    guard (0...65535).contains(configuration.port) else {
      throw EdgeError(message: "can't listen on port \(configuration.port): a port is 0 (any) to 65535")
    }
    let transport = HTTP2ServerTransport.Posix(
      address: listenAddress(host: configuration.host, port: configuration.port),
      transportSecurity: .plaintext,
      config: transportConfiguration(configuration, connections))
    let server = GRPCServer(transport: transport, router: router(for: application))
    let serving = Task { try await server.serve() }
    guard started(server, serving) else { return await connections.end(serving) }
    let announcing = Task { await self.announce(transport) }
    defer { announcing.cancel() }
    do {
      try await withTaskCancellationHandler {
        try await serving.value
      } onCancel: {
        Task { await self.stop(deadline: .zero) }
      }
    } catch {
      if isStopping || Task.isCancelled { return }
      throw cannotServe(error)
    }
  }

  private func announce(_ transport: HTTP2ServerTransport.Posix) async {
    guard let address = try? await transport.listeningAddress else { return }
    let text =
      address.ipv4.map { "\($0.host):\($0.port)" } ?? address.ipv6.map { "[\($0.host)]:\($0.port)" } ?? "\(address)"
    logger.info("Session edge is listening", metadata: ["edge.address": "\(text)"])
    bound.succeed(text)
  }

  private func cannotServe(_ error: any Error) -> EdgeError {
    let failure = ListenFailure(
      (error as? RuntimeError)?.cause ?? error, what: "for clients", host: configuration.host, port: configuration.port,
      flag: "--listen")
    return EdgeError(message: failure.description)
  }

  private func router(for application: any EdgeApplication) -> RPCRouter<HTTP2ServerTransport.Posix> {
    var router = RPCRouter<HTTP2ServerTransport.Posix>()
    for path in application.methods {
      let parts = path.split(separator: "/", maxSplits: 1).map(String.init)
      precondition(parts.count == 2, "an edge application's method is \"package.Service/Method\", not \"\(path)\"")
      router.registerHandler(
        forMethod: MethodDescriptor(fullyQualifiedService: parts[0], method: parts[1]),
        deserializer: BytesDeserializer(), serializer: BytesSerializer()
      ) { [self] request, context in
        StreamingServerResponse { writer in
          try await self.serveCall(application, path, request, context, writer)
        }
      }
    }
    return router
  }

  private func serveCall(
    _ application: any EdgeApplication, _ path: String, _ request: StreamingServerRequest<[UInt8]>,
    _ context: ServerContext, _ writer: RPCWriter<[UInt8]>
  ) async throws -> Metadata {
    guard let call = opened(peer: peerAddress(context.remotePeer), hasDeadline: request.hasDeadline) else {
      throw RPCError(code: .unavailable, message: "the server is stopping; connect elsewhere")
    }
    defer { closed(call) }
    call.attach(application.callOpened(call, method: path, metadata: request.textMetadata))
    let status = await withRPCCancellationHandler {
      await call.serve(request.messages, writer)
    } onCancelRPC: { [self] in
      // A graceful shutdown cancels every call at once; `stop` gives them until its deadline instead.
      if !self.isStopping { call.cancelled() }
    }
    guard status.code == .ok else { throw RPCError(status) }
    return Metadata(trailers: status.trailers)
  }

  // MARK: Stopping

  public func stop(deadline: Duration) async {
    let end = ContinuousClock.now.advanced(by: deadline)
    let (serving, idle) = beginStopping()
    guard let serving else { return }
    if idle { drained.succeed(()) }
    _ = await drained.value(before: end)
    for call in openCalls() { call.abort(.edgeStopped) }
    // What is ended now still has to be written; connections without calls close by themselves.
    let last = max(end, .now.advanced(by: .milliseconds(200)))
    _ = await drained.value(before: last)
    let finished = OneShot<Void>()
    let watching = Task {
      _ = await serving.result
      finished.succeed(())
    }
    _ = await finished.value(before: min(max(last, .now), .now.advanced(by: Self.goodbye)))
    watching.cancel()
    await connections.end(serving)
  }

  private func beginStopping() -> (serving: Task<Void, any Error>?, idle: Bool) {
    let (server, serving, idle) = state.withLock { state in
      defer { state.stage = .stopping }
      guard case .serving(let server, let task) = state.stage else {
        return (nil as GRPCServer<HTTP2ServerTransport.Posix>?, nil as Task<Void, any Error>?, true)
      }
      return (server, task, state.calls.isEmpty)
    }
    server?.beginGracefulShutdown()
    return (serving, idle)
  }

  // MARK: The list of calls

  private var isStopping: Bool {
    state.withLock { if case .stopping = $0.stage { true } else { false } }
  }

  private func started(_ server: GRPCServer<HTTP2ServerTransport.Posix>, _ serving: Task<Void, any Error>) -> Bool {
    state.withLock { state in
      guard case .idle = state.stage else { return false }
      state.stage = .serving(server, serving)
      return true
    }
  }

  private func opened(peer: String, hasDeadline: Bool) -> GRPCEdgeCall? {
    state.withLock { state in
      if case .stopping = state.stage { return nil }
      state.lastCall += 1
      let call = GRPCEdgeCall(
        id: state.lastCall, peer: peer, hasDeadline: hasDeadline,
        maximumMessageBytes: configuration.maximumReceivedMessageBytes, connections: connections)
      state.calls[call.id] = call
      return call
    }
  }

  private func closed(_ call: GRPCEdgeCall) {
    let isDrained = state.withLock { state in
      state.calls[call.id] = nil
      if case .stopping = state.stage { return state.calls.isEmpty }
      return false
    }
    if isDrained { drained.succeed(()) }
  }

  private func openCalls() -> [GRPCEdgeCall] { state.withLock { Array($0.calls.values) } }
}
