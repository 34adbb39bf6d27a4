import EdgeEngine
import HTTP2Wire
import SessionEdge

/// A connection whose calls send every message back, and end with OK when the client half-closes.
struct EchoServer {
  private var engine = ServerConnection(limits: SharedLimits(EngineLimits()), now: 0)

  private final class Call: Sendable {
    let stream: StreamIdentifier
    init(_ stream: StreamIdentifier) { self.stream = stream }
  }

  /// - Returns: what it says.
  mutating func receive(_ bytes: [UInt8]) -> [UInt8] {
    var rest = bytes[...]
    var output: [UInt8] = []
    while !rest.isEmpty {
      var events: [EngineEvent] = []
      engine.receive(&rest, now: 0, into: &output, events: &events)
      for event in events { perform(event) }
      events = []
      engine.produce(atMost: 1 << 24, into: &output, events: &events)
    }
    return output
  }

  private mutating func perform(_ event: EngineEvent) {
    switch event {
    case .opened(let stream, _, let inputEnded):
      engine.attach(Call(stream), to: stream)
      if inputEnded { end(stream) }
    case .message(let call as Call, let message): engine.send(Array(message), on: call.stream)
    case .inputEnded(let call as Call): end(call.stream)
    case .message, .inputEnded, .written, .dropped, .closed: break
    }
  }

  private mutating func end(_ stream: StreamIdentifier) {
    engine.end(stream, EdgeStatus(.ok, trailers: ["echoed": "yes"]), now: 0)
  }
}
