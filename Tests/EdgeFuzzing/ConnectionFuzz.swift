import HTTP2Wire
import SessionEdge

@testable import EdgeEngine

/// A connection with a shell that checks every step.
struct ConnectionFuzz {
  private var engine: ServerConnection
  private var now: Milliseconds = 1_000
  private var output: [UInt8] = []
  private var events: [EngineEvent] = []
  private var client: ClientModel
  private var calls: [FuzzCall] = []

  /// The first control byte chooses the limits, the others what happens between two pieces; what is left when they are
  /// used up comes as one.
  static func check(_ input: FuzzInput) throws(Violation) {
    var fuzz = ConnectionFuzz(FuzzLimits.chosen(by: input.controls.first ?? 0))
    var rest = input.data
    for control in input.controls.dropFirst() { try fuzz.perform(control, &rest) }
    try fuzz.receive(rest)
    try fuzz.finish()
  }

  private init(_ limits: EngineLimits) {
    engine = ServerConnection(limits: SharedLimits(limits), now: now)
    client = ClientModel(limits)
  }

  // MARK: Steps

  /// Three bits say what, five how much.
  private mutating func perform(_ control: UInt8, _ rest: inout ArraySlice<UInt8>) throws(Violation) {
    let much = Int(control >> 3)
    switch control & 7 {
    case 0, 1, 2:
      let piece = rest.prefix(much * much + 1)
      rest = rest.dropFirst(piece.count)
      try receive(piece)
    case 3: try pass(Milliseconds(much * much * 60))
    case 4:
      if let call = openCall(much) { send([UInt8](repeating: 7, count: much * much * 80), call) }
    case 5:
      if let call = openCall(much) {
        engine.end(call.stream, EdgeStatus(.aborted, "ä", trailers: ["a": "b"]), now: now)
      }
    case 6:
      try step { engine, _, output, events in engine.produce(atMost: 1 + much * 300, into: &output, events: &events) }
    default:
      switch much {
      case 0: try step { engine, _, output, _ in engine.goAway(into: &output) }
      case 1:
        try step { engine, _, output, events in
          engine.abortCalls(EdgeStatus(.unavailable), .edgeStopped, into: &output, events: &events)
        }
      case 2: try pass(max(0, min(engine.nextDeadline, now + 100_000) - now))
      case 3..<14: if let call = openCall(much) { try sendDisplacing(much * much * 80, call) }
      case 14:
        if let call = openCall(much) {
          try step { engine, now, _, events in
            engine.endNow(call.stream, EdgeStatus(.resourceExhausted), now: now, events: &events)
          }
        }
      default:
        try step { engine, _, output, events in engine.produce(atMost: 1 << 16, into: &output, events: &events) }
      }
    }
  }

  private func openCall(_ number: Int) -> FuzzCall? {
    let open = calls.filter { !$0.isClosed }
    return open.isEmpty ? nil : open[number % open.count]
  }

  private mutating func send(_ message: [UInt8], _ call: FuzzCall) {
    call.sent += message.count
    engine.send(message, on: call.stream)
  }

  private mutating func sendDisplacing(_ count: Int, _ call: FuzzCall) throws(Violation) {
    call.sent += count
    try step { engine, _, _, events in
      engine.send([UInt8](repeating: 7, count: count), on: call.stream, displacingBeyond: 1_000, events: &events)
    }
  }

  private mutating func receive(_ piece: ArraySlice<UInt8>) throws(Violation) {
    var rest = piece
    while !rest.isEmpty {
      let (before, wasFinished) = (rest, engine.isFinished)
      var left = rest
      try step { engine, now, output, events in
        engine.receive(&left, now: now, into: &output, events: &events)
      } checking: {
        fuzz throws(Violation) in
        let taken = before.dropLast(left.count)
        try require(!taken.isEmpty, "nothing was taken of \(before.count) bytes")
        if !wasFinished { fuzz.client.sent(taken) }
        // No stranger gets many times what it sends.
        try require(
          fuzz.output.count <= 4 * taken.count + 600, "\(taken.count) bytes were answered with \(fuzz.output.count)")
      }
      rest = left
    }
  }

  private mutating func pass(_ milliseconds: Milliseconds) throws(Violation) {
    now += milliseconds
    try step { engine, now, output, events in engine.timePassed(now: now, into: &output, events: &events) }
    try require(engine.isFinished || engine.nextDeadline > now, "what is due at \(engine.nextDeadline) is not done")
  }

  private mutating func step(
    _ body: (inout ServerConnection, Milliseconds, inout [UInt8], inout [EngineEvent]) -> Void,
    checking: (inout ConnectionFuzz) throws(Violation) -> Void = { _ in }
  ) throws(Violation) {
    let wasFinished = engine.isFinished
    body(&engine, now, &output, &events)
    try checking(&self)
    try require(!wasFinished || (output.isEmpty && events.isEmpty), "something happened after the end")
    try perform()
    try client.received(output)
    output = []
    try checkState()
  }

  // MARK: Checks

  private mutating func perform() throws(Violation) {
    let happened = events
    events = []
    for (index, event) in happened.enumerated() {
      switch event {
      case .opened(let stream, _, let inputEnded):
        try require(index == happened.count - 1, "an event after a call was opened")
        try require(stream > calls.last?.stream ?? 0, "stream \(stream) is opened after a later one")
        let call = FuzzCall(stream)
        call.inputEnded = inputEnded
        calls.append(call)
        engine.attach(call, to: stream)
      case .message(let call, let bytes):
        let call = try open(call)
        try require(!call.inputEnded, "a message after the input's end")
        try require(bytes.count <= engine.limits.values.receivedMessageBytes, "a message of \(bytes.count) bytes")
      case .inputEnded(let call):
        let call = try open(call)
        try require(!call.inputEnded, "the input ends twice")
        call.inputEnded = true
      case .written(let call, let count):
        let call = try open(call)
        call.written += count
        try require(
          call.written + call.dropped <= call.sent,
          "\(call.written) bytes were written and \(call.dropped) dropped of \(call.sent)")
      case .dropped(let call, let count, let bytes):
        let call = try open(call)
        call.dropped += bytes
        try require(count > 0, "nothing was dropped")
        try require(
          call.written + call.dropped <= call.sent, "\(call.dropped) bytes were dropped of \(call.sent)")
      case .closed(let call, _):
        try open(call).isClosed = true
      }
    }
  }

  private func open(_ call: any EngineCall) throws(Violation) -> FuzzCall {
    guard let call = call as? FuzzCall, !call.isClosed else { throw Violation("an event of a call that is closed") }
    return call
  }

  private func checkState() throws(Violation) {
    let limits = engine.limits.values
    let ids = engine.streams.map(\.id)
    try require(ids.count <= limits.concurrentCalls, "\(ids.count) calls are open")
    try require(zip(ids, ids.dropFirst()).allSatisfy(<), "the streams are out of order")
    let incomplete = engine.streams.reduce(0) { $0 + $1.reader.incompleteBytes }
    try require(
      incomplete == Int(engine.incompleteBytes), "\(engine.incompleteBytes) bytes are counted, not \(incomplete)")
    try require(incomplete <= limits.incompleteBytes, "\(incomplete) bytes of incomplete messages")
    try require(engine.decoder.tableSize <= 4_096, "a table of \(engine.decoder.tableSize) bytes")
    try require(
      !engine.settingsAcknowledged || engine.decoder.tableSize == 0, "a table after we said that we want none")
    try require(!engine.isFinished || ids.isEmpty, "calls are left after the end")
    try require(calls.count { !$0.isClosed } == ids.count, "the calls that are open are not the streams that are")
    try require(engine.streams.count < 2 || Set(engine.turns).count == engine.turns.count, "a stream has two turns")
    // Or the shell would come again and again for nothing, or not at all.
    let streams = engine.streams
    try require(streams.allSatisfy { $0.isReady == $0.canSend }, "a stream is ready that can't send, or the reverse")
    let ready = streams.filter(\.isReady).map(\.id)
    try require(streams.count < 2 || Set(ready).isSubset(of: engine.turns), "a stream that is ready has no turn")
  }

  /// All that waits may go; then the socket does.
  private mutating func finish() throws(Violation) {
    var steps = 0
    while engine.hasOutput {
      try step { engine, _, output, events in engine.produce(atMost: 1 << 16, into: &output, events: &events) }
      steps += 1
      try require(steps < 1_000, "producing does not come to its end")
    }
    engine.connectionLost(.connectionLost("over"), events: &events)
    try perform()
    try checkState()
    try require(engine.isFinished && calls.allSatisfy(\.isClosed), "calls are open after the connection is lost")
  }
}

/// One call as the shell knows it; confined to the thread that fuzzes.
final class FuzzCall: Sendable {
  let stream: StreamIdentifier
  // Safe although it is not checked: no call leaves the `ConnectionFuzz` that made it, which runs on one thread.
  nonisolated(unsafe) var inputEnded = false
  nonisolated(unsafe) var isClosed = false
  nonisolated(unsafe) var sent = 0
  nonisolated(unsafe) var written = 0
  nonisolated(unsafe) var dropped = 0
  init(_ stream: StreamIdentifier) { self.stream = stream }
}

enum FuzzLimits {
  /// The real ones, or some that are met soon.
  static func chosen(by control: UInt8) -> EngineLimits {
    var limits = EngineLimits()
    guard control & 1 == 1 else { return limits }
    limits.concurrentCalls = 3
    limits.receivedMessageBytes = 100
    limits.headerListBytes = 400
    limits.incompleteBytes = 150
    limits.framesPerSecond = 8
    limits.callsPerSecond = 1
    limits.patience = 5_000
    return limits
  }
}
