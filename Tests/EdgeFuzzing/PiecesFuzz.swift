import EdgeEngine
import HTTP2Wire

/// The same bytes in other pieces bring the same events and the same answers.
enum PiecesFuzz {
  static func check(_ input: FuzzInput) throws(Violation) {
    let limits = FuzzLimits.chosen(by: input.controls.first ?? 0)
    let whole = outcome(input.data, limits) { .max }
    var sizes = 0
    let controls = Array(input.controls)
    let pieces = outcome(input.data, limits) {
      sizes += 1
      return controls.isEmpty ? 1 : Int(controls[sizes % controls.count]) % 70 + 1
    }
    try require(pieces == whole, "in pieces: \(pieces); whole: \(whole)")
    // A byte at a time costs a step for each.
    guard input.data.count <= 2_048 else { return }
    let bytes = outcome(input.data, limits) { 1 }
    try require(bytes == whole, "byte by byte: \(bytes); whole: \(whole)")
  }

  struct Outcome: Equatable {
    var output: [UInt8] = []
    var events: [String] = []
    var isFinished = false
  }

  private static func outcome(_ data: ArraySlice<UInt8>, _ limits: EngineLimits, size: () -> Int) -> Outcome {
    var engine = ServerConnection(limits: SharedLimits(limits), now: 0)
    var outcome = Outcome()
    var rest = data
    while !rest.isEmpty {
      var piece = rest.prefix(size())
      rest = rest.dropFirst(piece.count)
      while !piece.isEmpty {
        var events: [EngineEvent] = []
        engine.receive(&piece, now: 0, into: &outcome.output, events: &events)
        for event in events { outcome.events.append(described(event, &engine)) }
      }
    }
    outcome.isFinished = engine.isFinished
    return outcome
  }

  private static func described(_ event: EngineEvent, _ engine: inout ServerConnection) -> String {
    func number(_ call: any EngineCall) -> StreamIdentifier { (call as? FuzzCall)?.stream ?? 0 }
    switch event {
    case .opened(let stream, let head, let inputEnded):
      engine.attach(FuzzCall(stream), to: stream)
      return "opened \(stream) \(head.method) \(head.metadata) \(head.timeout ?? -1) \(inputEnded)"
    case .message(let call, let bytes): return "message \(number(call)) \(Array(bytes))"
    case .inputEnded(let call): return "inputEnded \(number(call))"
    case .written(let call, let count): return "written \(number(call)) \(count)"
    case .dropped(let call, let count, let bytes): return "dropped \(number(call)) \(count) \(bytes)"
    case .closed(let call, let reason): return "closed \(number(call)) \(reason)"
    }
  }
}
