/// The server's side of one HTTP/2 connection with its gRPC calls, as a value: bytes and time in; bytes, calls and messages
/// out. RFC 9113, RFC 7541 and "gRPC over HTTP2"; Docs/http2.md lists the sections with their tests.
///
/// *Use.* The shell hands over what it read (`receive`) and the time (`timePassed`), performs the `EngineEvent`s, and
/// writes what was appended to its buffer. Messages and ends of calls are put in by `send` and `end`, which append nothing:
/// `produce` does, as much as windows and the shell's own limit allow. So that while the socket is full nothing is
/// encoded, and a message that goes to many sessions waits as one array.
///
///     greeting ── preface and SETTINGS ──▶ open ── goAway ──▶ leaving ── last call ended ──▶ finished
///        └──────────── a rule broken, time over, connection lost ─────────────────────────────▲
///
/// *Memory.* An idle connection with one call is two allocations of the engine: the array of streams and whatever holds
/// this value. Buffers exist while something is incomplete, HPACK's table until the client has acknowledged that we want
/// none.
///
/// *Strangers.* Everything a client can make grow has a bound in `EngineLimits`, and every frame and call is taken from an
/// allowance, which grows by what the client is sent: HTTP/2's known floods (CVE-2019-9511 to 9518, CVE-2023-44487,
/// CVE-2024-27316, CVE-2025-8671) are variants of one thing. A client that has used it up gets GOAWAY with
/// ENHANCE_YOUR_CALM.
public import HTTP2Wire
public import SessionEdge

public struct ServerConnection: Sendable {
  let limits: SharedLimits
  var reader: FrameReader
  var decoder: HPACKDecoder
  /// By ascending id; few, and mostly one.
  var streams: [ServerStream] = []
  /// Streams with something to send, in their turn; only kept while there are several.
  var turns: [StreamIdentifier] = []
  var sendWindow = FlowWindow()
  var receiveWindow = ReceiveWindow(size: Int(Settings().initialWindowSize))
  var peerInitialWindow = Settings().initialWindowSize
  var peerFrameSize = Settings().maximumFrameSize
  /// The largest id that a client's stream had.
  var lastStream: StreamIdentifier = 0
  var phase = Phase.greeting
  var hasGreeted = false
  var settingsAcknowledged = false
  var tableUpdate = TableUpdate.none
  var allowance: Allowance
  var clock: ConnectionClock
  var incompleteBytes: UInt32 = 0

  enum Phase: Sendable {
    case greeting, open, leaving, finished
  }

  /// What the peer's decoder has to be told about our table, which is empty in any case (RFC 7541, section 4.2).
  enum TableUpdate: Sendable {
    case none, owed, told
  }

  public init(limits: SharedLimits, now: Milliseconds) {
    self.limits = limits
    reader = FrameReader(role: .server, maximumHeaderBlock: limits.values.headerBlockBytes)
    decoder = HPACKDecoder(maximumListSize: limits.values.headerListBytes)
    allowance = Allowance(limits.values, now: now)
    clock = ConnectionClock(now: now)
  }

  /// Whether the connection is over for the engine: write what is left, then close it.
  public var isFinished: Bool { phase == .finished }

  /// Whether `produce` would append something.
  public var hasOutput: Bool {
    streams.contains { $0.isReady && ($0.needsNoWindow || sendWindow.available > 0) }
  }

  /// Our SETTINGS, which come before anything else. With the first answer rather than at once: that saves a connect a
  /// write of its own, and no client waits for them before it has sent its own.
  mutating func greet(into output: inout [UInt8]) {
    guard !hasGreeted else { return }
    hasGreeted = true
    output += limits.greeting
  }

  // MARK: Calls

  /// Gives the call that was just opened its object. To be called before the next method of this connection.
  public mutating func attach(_ call: any EngineCall, to stream: StreamIdentifier) {
    if let index = index(of: stream) { streams[index].call = call }
  }

  /// Ends the call unless its message is complete within the patience, and when another one comes: for calls that nobody else
  /// limits. At once after `attach`.
  public mutating func takeOneMessage(of stream: StreamIdentifier, now: Milliseconds) {
    guard let index = index(of: stream), !streams[index].inputEnded else { return }
    streams[index].takesOneMessage = true
    streams[index].awaitsMessage = true
    messageBegan(at: index, now)
  }

  /// The object of a call that is open.
  public func call(of stream: StreamIdentifier) -> (any EngineCall)? { index(of: stream).flatMap { streams[$0].call } }

  func index(of id: StreamIdentifier) -> Int? {
    if streams.count == 1 { return streams[0].id == id ? 0 : nil }
    var (low, high) = (0, streams.count)
    while low < high {
      let middle = (low + high) / 2
      if streams[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < streams.count && streams[low].id == id ? low : nil
  }

  /// Forgets the stream.
  mutating func close(at index: Int, _ reason: EdgeCloseReason, _ events: inout [EngineEvent]) {
    let stream = streams.remove(at: index)
    incompleteBytes -= UInt32(stream.reader.incompleteBytes)
    if streams.isEmpty {
      streams = []
      clock.idleSince = clock.lastHeard
    }
    if streams.count < 2 { turns = [] }
    if let call = stream.call { events.append(.closed(call, reason)) }
    if streams.isEmpty, phase == .leaving { phase = .finished }
  }

  // MARK: The end

  /// Refuses new calls from now on; finished when the last one is closed.
  public mutating func goAway(into output: inout [UInt8]) {
    guard phase == .open || phase == .greeting else { return }
    greet(into: &output)
    FrameWriter.appendGoAway(lastStream: lastStream, code: .noError, to: &output)
    phase = streams.isEmpty ? .finished : .leaving
  }

  /// The socket is gone; says `closed` for every call.
  public mutating func connectionLost(_ reason: EdgeCloseReason, events: inout [EngineEvent]) {
    phase = .finished
    while let last = streams.indices.last { close(at: last, reason, &events) }
    phase = .finished
  }

  /// The peer broke a rule, or is given up: GOAWAY, and `closed` for every call.
  mutating func fail(_ error: HTTP2Error, into output: inout [UInt8], _ events: inout [EngineEvent]) {
    guard phase != .finished else { return }
    greet(into: &output)
    FrameWriter.appendGoAway(
      lastStream: lastStream, code: error.code, debugData: Array(error.message.utf8), to: &output)
    connectionLost(.connectionLost(error.description), events: &events)
  }
}

/// What all connections of a server have in common, once for all of them.
public final class SharedLimits: Sendable {
  public let values: EngineLimits
  /// SETTINGS. The table of 0 bytes: one call for each connection gains nothing by a table, which costs half a kilobyte.
  let greeting: [UInt8]

  public init(_ values: EngineLimits) {
    self.values = values
    var settings = Settings()
    settings.headerTableSize = 0
    settings.maximumConcurrentStreams = UInt32(clamping: values.concurrentCalls)
    settings.maximumHeaderListSize = UInt32(clamping: values.headerListBytes)
    var greeting: [UInt8] = []
    FrameWriter.appendSettings(settings.changesFromInitial, to: &greeting)
    self.greeting = greeting
  }
}
