import SessionEdge
import Synchronization
import TestCalls
import TestServers

/// Sends every message back, and writes down what it was told.
final class EchoApplication: EdgeApplication {
  private let state = Mutex(State())

  struct State {
    var written = 0
    var received: [[UInt8]] = []
    var inputEnds = 0
    var closes: [EdgeCloseReason] = []
    var calls: [any EdgeCall] = []
    var dropped = 0
    var lastMessage: [UInt8]?
    /// Handler methods that run at this moment, and the most there ever were.
    var inside = 0
    var mostInside = 0
  }

  /// "Park" never answers; "Echo" does.
  var methods: [String] { ["test.Echo/Echo", "test.Echo/Park"] }

  var now: State { state.withLock { $0 } }

  func callOpened(_ call: any EdgeCall, method: String, metadata: [(String, String)]) -> any EdgeCallHandler {
    state.withLock { $0.calls.append(call) }
    return Handler(application: self, echoes: method.hasSuffix("Echo"))
  }

  func bytesWritten(_ progress: [EdgeProgress]) {
    state.withLock { state in state.written += progress.reduce(0) { $0 + $1.bytes } }
  }

  func endCalls(with message: [UInt8]) { state.withLock { $0.lastMessage = message } }

  func closeReason() async throws -> EdgeCloseReason {
    try await waitUntil("a call is closed") { self.now.closes.first }
  }

  func call() async throws -> any EdgeCall { try await waitUntil("a call is open") { self.now.calls.last } }

  /// A call that the application leaves alone, from both sides.
  func parked(_ client: TestClient) async throws -> (TestCall, any EdgeCall) {
    let call = client.call("test.Echo/Park")
    call.send(bytes("hello"))
    return (call, try await self.call())
  }

  private final class Handler: EdgeCallHandler {
    let application: EchoApplication
    let echoes: Bool

    init(application: EchoApplication, echoes: Bool) {
      self.application = application
      self.echoes = echoes
    }

    var takesOneMessage: Bool { false }

    private func note(_ change: (inout State) -> Void) {
      application.state.withLock { state in
        state.inside += 1
        state.mostInside = max(state.mostInside, state.inside)
        change(&state)
      }
    }

    private func leave() { application.state.withLock { $0.inside -= 1 } }

    func messageReceived(_ message: [UInt8], on call: any EdgeCall) {
      note { $0.received.append(message) }
      defer { leave() }
      if echoes { call.send(message) }
    }

    func inputEnded(of call: any EdgeCall) {
      note { $0.inputEnds += 1 }
      defer { leave() }
      if echoes { call.end(EdgeStatus(.ok, trailers: ["echoed": "yes"])) }
    }

    func messagesDropped(_ count: Int, bytes: Int, on call: any EdgeCall) {
      note { $0.dropped += count }
      leave()
    }

    func lastMessage(on call: any EdgeCall) -> [UInt8]? { application.state.withLock { $0.lastMessage.take() } }

    func closed(_ call: any EdgeCall, _ reason: EdgeCloseReason) {
      note { $0.closes.append(reason) }
      leave()
    }
  }
}
