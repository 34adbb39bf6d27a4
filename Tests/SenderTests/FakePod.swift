import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCServing
import Synchronization
import TestServers
import Wire

/// A pod's Delivery service, by real gRPC: it holds what the test says, notes what it is asked, and can fall silent.
final class FakePod: Pushring_V1_Delivery.SimpleServiceProtocol {
  let podID: String
  private let state = Mutex(State())
  private let channels = ServerChannels()
  private let transport: HTTP2ServerTransport.Posix
  private let serving = Mutex<Task<Void, any Error>?>(nil)

  struct State {
    /// user → session → epoch
    var sessions: [String: [String: UInt64]] = [:]
    var batches: [Pushring_V1_DeliverBatch] = []
    var openStreams = 0
    /// Set when it is a member.
    var incarnation: UInt64 = 0
    var isSilent = false
    var claimsComplete = false
    var error = ""
    var onRequest: (@Sendable (Pushring_V1_DeliverRequest) async -> Void)?

    var requests: [Pushring_V1_DeliverRequest] { batches.flatMap(\.requests) }
  }

  init(podID: String) {
    self.podID = podID
    transport = HTTP2ServerTransport.Posix(
      address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext,
      config: .defaults { [channels] in channels.watch(&$0) })
  }

  /// Returns where it listens.
  func start() async throws -> String {
    let server = GRPCServer(transport: transport, services: [self])
    serving.withLock { $0 = Task { try await server.serve() } }
    let address = try await transport.listeningAddress
    guard let ipv4 = address.ipv4 else { throw TestServerError("no IPv4 address") }
    return "127.0.0.1:\(ipv4.port)"
  }

  /// Its listening socket and its connections are closed, whatever is under way.
  func kill() async {
    guard let task = serving.withLock({ $0 }) else { return }
    await channels.end(task)
  }

  func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
  func look<Value>(_ body: (State) -> Value) -> Value { state.withLock { body($0) } }

  func deliver(
    request: RPCAsyncSequence<Pushring_V1_DeliverBatch, any Error>,
    response: RPCWriter<Pushring_V1_DeliverResultBatch>, context: ServerContext
  ) async throws {
    change { $0.openStreams += 1 }
    defer { change { $0.openStreams -= 1 } }
    for try await batch in request {
      change { $0.batches.append(batch) }
      if look({ $0.isSilent }) { continue }
      try await response.write(await answer(batch))
    }
  }

  private func answer(_ batch: Pushring_V1_DeliverBatch) async -> Pushring_V1_DeliverResultBatch {
    var answer = Pushring_V1_DeliverResultBatch()
    answer.window = batch.window
    answer.incarnation = look { $0.incarnation }
    for request in batch.requests {
      await look { $0.onRequest }?(request)
      answer.results.append(look { self.result(request, $0) })
    }
    return answer
  }

  private func result(_ request: Pushring_V1_DeliverRequest, _ state: State) -> Pushring_V1_DeliverResult {
    let held = state.sessions[request.userID] ?? [:]
    var result = Pushring_V1_DeliverResult()
    result.correlation = request.correlation
    result.error = state.error
    result.complete = state.claimsComplete && request.sessions.isEmpty
    let asked = request.sessions.map { ($0.sessionID, $0.epoch) }
    for (session, least) in asked.isEmpty ? held.keys.map({ ($0, 0) }) : asked {
      var outcome = Pushring_V1_SessionResult()
      outcome.sessionID = session
      let epoch = held[session]
      outcome.outcome = epoch.map { $0 >= least } ?? false ? .delivered : .gone
      outcome.epoch = outcome.outcome == .delivered ? epoch ?? 0 : 0
      result.sessions.append(outcome)
    }
    return result
  }
}
