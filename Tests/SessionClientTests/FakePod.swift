import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCServing
import Synchronization
import TestServers
import Testing
import Wire

/// A pod that does what a test tells it to: it answers Locate with `pods`, and plays `script` for each stream.
final class FakePod: Pushring_V1_Sessions.SimpleServiceProtocol {
  /// One stream as the script sees it.
  struct Stream: Sendable {
    let hello: Pushring_V1_Hello
    let writer: RPCWriter<Pushring_V1_ServerFrame>
    let frames: Frames

    func welcome(_ session: String = "s", epoch: UInt64 = 1, pod: String = "pod", successors: [String] = [])
      async throws
    {
      var frame = Pushring_V1_ServerFrame()
      frame.welcome.sessionID = session
      frame.welcome.podID = pod
      frame.welcome.epoch = epoch
      frame.welcome.successors = successors.map(podEndpoint)
      try await writer.write(frame)
    }

    func message(_ id: String) async throws {
      var frame = Pushring_V1_ServerFrame()
      frame.message.id = id
      try await writer.write(frame)
    }

    func reconnect(to endpoint: String, ticket: String) async throws {
      var frame = Pushring_V1_ServerFrame()
      frame.reconnect.endpoint = podEndpoint(endpoint)
      frame.reconnect.ticket = .init(ticket.utf8)
      try await writer.write(frame)
    }

    func ping(_ nonce: UInt64) async throws {
      var frame = Pushring_V1_ServerFrame()
      frame.ping.nonce = nonce
      try await writer.write(frame)
    }
  }

  /// What the client sends after Hello; nil at its half-close.
  actor Frames {
    private var iterator: RPCAsyncSequence<Pushring_V1_ClientFrame, any Error>.AsyncIterator

    init(_ iterator: RPCAsyncSequence<Pushring_V1_ClientFrame, any Error>.AsyncIterator) { self.iterator = iterator }

    func next() async throws -> Pushring_V1_ClientFrame? {
      var copy = iterator
      defer { iterator = copy }
      return try await copy.next(isolation: self)
    }
  }

  typealias Script = @Sendable (Stream) async throws -> Void

  private let pods: Mutex<[String]>
  private let script: Script
  private let streamsOpened = Mutex(0)

  init(pods: [String] = [], script: @escaping Script) {
    self.pods = Mutex(pods)
    self.script = script
  }

  var streams: Int { streamsOpened.withLock { $0 } }
  func locates(_ pods: [String]) { self.pods.withLock { $0 = pods } }

  func locate(request: Pushring_V1_LocateRequest, context: ServerContext) async throws -> Pushring_V1_LocateResponse {
    var response = Pushring_V1_LocateResponse()
    response.pods = pods.withLock { $0 }.map(podEndpoint)
    return response
  }

  func connect(
    request: RPCAsyncSequence<Pushring_V1_ClientFrame, any Error>, response: RPCWriter<Pushring_V1_ServerFrame>,
    context: ServerContext
  ) async throws {
    let frames = Frames(request.makeAsyncIterator())
    guard let hello = try await frames.next()?.hello else { return }
    streamsOpened.withLock { $0 += 1 }
    try await script(Stream(hello: hello, writer: response, frames: frames))
  }
}

private func podEndpoint(_ endpoint: String) -> Pushring_V1_PodEndpoint {
  var pod = Pushring_V1_PodEndpoint()
  pod.endpoint = endpoint
  return pod
}

/// A gRPC server that has no service of ours, as a wrong address may lead to.
func withoutServices(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
  try await withServers([[]], body: { try await body($0[0]) })
}

/// Serves the pods while `body` runs, which gets their endpoints in order.
func withPods(_ pods: [FakePod], _ body: @escaping @Sendable ([String]) async throws -> Void) async throws {
  try await withServers(pods.map { [$0] }, body: body)
}

private func withServers(
  _ all: [[any RegistrableRPCService]], body: @escaping @Sendable ([String]) async throws -> Void
) async throws {
  var endpoints: [String] = []
  var servers: [(ServerChannels, Task<Void, any Error>)] = []
  let outcome: Result<Void, any Error>
  do {
    for services in all {
      let channels = ServerChannels()
      let transport = HTTP2ServerTransport.Posix(
        address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext,
        config: .defaults { channels.watch(&$0) })
      let server = GRPCServer(transport: transport, services: services)
      servers.append((channels, Task { try await server.serve() }))
      let port = try #require(try await transport.listeningAddress.ipv4?.port)
      endpoints.append("127.0.0.1:\(port)")
    }
    let bound = endpoints
    try await bounded(.seconds(15), "the test") { try await body(bound) }
    outcome = .success(())
  } catch {
    outcome = .failure(error)
  }
  for (channels, serving) in servers { await channels.end(serving) }
  try outcome.get()
}
