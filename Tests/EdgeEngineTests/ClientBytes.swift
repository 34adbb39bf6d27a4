import EdgeEngine
import HTTP2Wire
import SessionEdge
import Synchronization

/// A client by hand: what it sends, as bytes.
struct ClientBytes {
  var bytes: [UInt8] = clientPreface
  private var encoder = HPACKEncoder(tableSize: 4_096)

  init(settings: [Setting] = []) { FrameWriter.appendSettings(settings, to: &bytes) }

  /// From here on our HPACK table is as small as the server wants it, which the next block has to begin with.
  mutating func acknowledgeSettings() {
    FrameWriter.appendSettingsAcknowledgement(to: &bytes)
    encoder.setPeerTableSize(0)
  }

  static let request: HeaderList = [
    ":method": "POST", ":scheme": "http", ":path": "/test.Echo/Echo", ":authority": "here", "te": "trailers",
    "content-type": "application/grpc",
  ]

  mutating func open(_ stream: StreamIdentifier, _ headers: HeaderList = request, endStream: Bool = false) {
    FrameWriter.appendHeaders(stream: stream, endStream: endStream, to: &bytes) { encoder.encode(headers, into: &$0) }
  }

  mutating func message(_ message: [UInt8], _ stream: StreamIdentifier, endStream: Bool = false) {
    var framed: [UInt8] = []
    GRPCMessageWriter.append(message[...], to: &framed)
    data(framed, stream, endStream: endStream)
  }

  mutating func data(_ data: [UInt8], _ stream: StreamIdentifier, endStream: Bool = false) {
    FrameWriter.appendData(data[...], stream: stream, endStream: endStream, to: &bytes)
  }

  /// A frame of any kind, right or wrong.
  mutating func frame(_ type: UInt8, flags: UInt8 = 0, _ stream: StreamIdentifier, _ payload: [UInt8]) {
    let count = payload.count
    bytes += [UInt8(count >> 16 & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff), type, flags]
    bytes += [UInt8(stream >> 24), UInt8(stream >> 16 & 0xff), UInt8(stream >> 8 & 0xff), UInt8(stream & 0xff)]
    bytes += payload
  }

  mutating func take() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }
}

/// An engine with a shell that writes down what happens.
struct ServedConnection {
  var engine: ServerConnection
  var now: Milliseconds
  private var output: [UInt8] = []
  private(set) var happened: [Happened] = []
  private var reader = FrameReader(role: .client)
  private var decoder = HPACKDecoder()
  private var calls: [StreamIdentifier: Call] = [:]

  enum Happened: Hashable {
    case opened(StreamIdentifier, String)
    case message(StreamIdentifier, [UInt8])
    case inputEnded(StreamIdentifier)
    case written(StreamIdentifier, Int)
    case dropped(StreamIdentifier, Int, bytes: Int)
    case closed(StreamIdentifier, EdgeCloseReason)
  }

  final class Call: Sendable {
    let stream: StreamIdentifier
    init(_ stream: StreamIdentifier) { self.stream = stream }
  }

  init(_ limits: EngineLimits = EngineLimits(), now: Milliseconds = 1_000) {
    self.now = now
    engine = ServerConnection(limits: SharedLimits(limits), now: now)
  }

  mutating func receive(_ bytes: [UInt8], pieces: Int = .max) {
    var rest = bytes[...]
    while !rest.isEmpty {
      var piece = rest.prefix(pieces)
      rest = rest.dropFirst(piece.count)
      while !piece.isEmpty {
        step { engine, now, output, events in engine.receive(&piece, now: now, into: &output, events: &events) }
      }
    }
  }

  mutating func pass(_ milliseconds: Milliseconds) {
    now += milliseconds
    step { engine, now, output, events in engine.timePassed(now: now, into: &output, events: &events) }
  }

  mutating func send(_ message: [UInt8], on stream: StreamIdentifier) { engine.send(message, on: stream) }

  mutating func answer(_ message: [UInt8], on stream: StreamIdentifier) {
    engine.send(message, on: stream, isAnswer: true)
  }

  mutating func send(_ message: [UInt8], on stream: StreamIdentifier, displacingBeyond limit: Int) {
    step { engine, _, _, events in
      engine.send(message, on: stream, displacingBeyond: limit, events: &events)
    }
  }

  mutating func endNow(_ stream: StreamIdentifier, _ status: EdgeStatus) {
    step { engine, now, _, events in engine.endNow(stream, status, now: now, events: &events) }
  }

  mutating func end(_ stream: StreamIdentifier, _ status: EdgeStatus = EdgeStatus(.ok)) {
    engine.end(stream, status, now: now)
  }

  mutating func produce(atMost limit: Int = 1 << 20) {
    step { engine, _, output, events in engine.produce(atMost: limit, into: &output, events: &events) }
  }

  mutating func step(
    _ body: (inout ServerConnection, Milliseconds, inout [UInt8], inout [EngineEvent]) -> Void
  ) {
    var events: [EngineEvent] = []
    body(&engine, now, &output, &events)
    for event in events { note(event) }
  }

  private mutating func note(_ event: EngineEvent) {
    switch event {
    case .opened(let stream, let head, let inputEnded):
      let call = Call(stream)
      calls[stream] = call
      engine.attach(call, to: stream)
      happened.append(.opened(stream, head.method))
      if inputEnded { happened.append(.inputEnded(stream)) }
    case .message(let call, let bytes): happened.append(.message(number(call), Array(bytes)))
    case .inputEnded(let call): happened.append(.inputEnded(number(call)))
    case .written(let call, let count): happened.append(.written(number(call), count))
    case .dropped(let call, let count, let bytes): happened.append(.dropped(number(call), count, bytes: bytes))
    case .closed(let call, let reason): happened.append(.closed(number(call), reason))
    }
  }

  private func number(_ call: any EngineCall) -> StreamIdentifier { (call as? Call)?.stream ?? 0 }

  mutating func takeHappened() -> [Happened] {
    defer { happened = [] }
    return happened
  }

  /// What the server has said, with header blocks decoded.
  mutating func said(frameSize: Int = 16_384) throws -> [Said] {
    reader.maximumFrameSize = frameSize
    var rest = output[...]
    output = []
    var said: [Said] = []
    while let frame = try reader.next(from: &rest) { said.append(try Said(frame, &decoder)) }
    return said
  }

  /// Of the GOAWAY with which the server ended it.
  mutating func lastCode() throws -> ErrorCode? {
    guard case .goAway(_, let code, _) = try said().last else { return nil }
    return code
  }
}

/// A connection with one open call, its greeting read.
func connected(
  _ limits: EngineLimits = EngineLimits(), settings: [Setting] = []
) throws -> (ServedConnection, ClientBytes) {
  var client = ClientBytes(settings: settings)
  client.open(1)
  client.acknowledgeSettings()
  var served = ServedConnection(limits)
  served.receive(client.take())
  _ = try served.said()
  _ = served.takeHappened()
  return (served, client)
}

enum Said: Hashable {
  case headers(StreamIdentifier, [String: String], end: Bool)
  case data(StreamIdentifier, [UInt8])
  case reset(StreamIdentifier, ErrorCode)
  case goAway(StreamIdentifier, ErrorCode, String)
  case settings
  case settingsAcknowledged
  case ping(UInt64, acknowledgement: Bool)
  case windowUpdate(StreamIdentifier, UInt32)
  case other

  init(_ frame: Frame, _ decoder: inout HPACKDecoder) throws {
    switch frame {
    case .headers(let stream, let block, let end):
      var list = HeaderList()
      _ = try decoder.decode(block, into: &list)
      let fields = list.map { (String(decoding: $0.name, as: UTF8.self), String(decoding: $0.value, as: UTF8.self)) }
      self = .headers(stream, Dictionary(fields) { first, _ in first }, end: end)
    case .data(let stream, let bytes, _, _): self = .data(stream, Array(bytes))
    case .reset(let stream, let code): self = .reset(stream, code)
    case .goAway(let stream, let code, let text): self = .goAway(stream, code, String(decoding: text, as: UTF8.self))
    case .settings: self = .settings
    case .settingsAcknowledged: self = .settingsAcknowledged
    case .ping(let data, let acknowledgement): self = .ping(data, acknowledgement: acknowledgement)
    case .windowUpdate(let stream, let increment): self = .windowUpdate(stream, increment)
    case .priority, .pushPromise, .malformed: self = .other
    }
  }
}
