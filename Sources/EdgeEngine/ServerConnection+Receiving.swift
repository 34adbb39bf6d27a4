internal import HTTP2Wire
internal import SessionEdge

extension ServerConnection {
  /// Takes what came from the client, in pieces of any size. Returns early when a call was opened: perform the events,
  /// and go on with the rest until `input` is empty.
  ///
  /// - Parameters:
  ///   - input: what is taken is removed from its front.
  ///   - output: answers are appended.
  ///   - events: appended in order.
  public mutating func receive(
    _ input: inout ArraySlice<UInt8>, now: Milliseconds, into output: inout [UInt8], events: inout [EngineEvent]
  ) {
    clock.heard(now)
    greet(into: &output)
    do throws(HTTP2Error) {
      try takeFrames(from: &input, now, &output, &events)
    } catch {
      fail(error, into: &output, &events)
    }
    if phase == .finished { input = [] }
    clock.note(isIncomplete: !reader.isBetweenFrames, now)
  }

  /// Until a call was opened, or the input is used up.
  private mutating func takeFrames(
    from input: inout ArraySlice<UInt8>, _ now: Milliseconds, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) throws(HTTP2Error) {
    let known = events.count
    while phase != .finished, let frame = try reader.next(from: &input) {
      clock.frameCompleted()
      if phase == .greeting { phase = .open }
      try payForPassedOver(now)
      try pay(now)
      try handle(frame, now, &output, &events)
      if events.count > known, case .opened = events.last { return }
    }
    try payForPassedOver(now)
  }

  private mutating func payForPassedOver(_ now: Milliseconds) throws(HTTP2Error) {
    let count = reader.takePassedOver()
    if count > 0 { try pay(now, count: count) }
  }

  func calm(_ what: String) -> HTTP2Error { HTTP2Error(.enhanceYourCalm, what) }

  mutating func pay(_ now: Milliseconds, count: Int = 1) throws(HTTP2Error) {
    guard allowance.takeFrames(count, limits.values, openCalls: streams.count, now: now) else {
      throw calm("too many frames or messages; at most \(limits.values.framesPerSecond) a second")
    }
  }

  private mutating func handle(
    _ frame: Frame, _ now: Milliseconds, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) throws(HTTP2Error) {
    switch frame {
    case .data(let stream, let bytes, let flowControlled, let endStream):
      try dataReceived(stream, bytes, flowControlled, endStream, now, &output, &events)
    case .headers(let stream, let block, let endStream):
      try headersReceived(stream, block, endStream, now, &output, &events)
    case .settings(let settings):
      try settingsReceived(settings)
      FrameWriter.appendSettingsAcknowledgement(to: &output)
    case .settingsAcknowledged:
      acknowledgementReceived()
    case .ping(let data, let isAcknowledgement):
      if !isAcknowledgement { FrameWriter.appendPing(data: data, acknowledgement: true, to: &output) }
    case .reset(let stream, _):
      try resetReceived(stream, &events)
    case .windowUpdate(let stream, let increment):
      try windowUpdated(stream, increment, &output, &events)
    case .malformed(let error):
      try malformedReceived(error, &output, &events)
    case .priority, .goAway, .pushPromise:
      break
    }
  }

  // MARK: Of the connection

  private mutating func settingsReceived(_ settings: [Setting]) throws(HTTP2Error) {
    let before = peerInitialWindow
    for setting in settings {
      switch setting.name {
      case .initialWindowSize: peerInitialWindow = setting.value
      case .maximumFrameSize: peerFrameSize = setting.value
      case .headerTableSize: if setting.value < 4_096, tableUpdate == .none { tableUpdate = .owed }
      default: break
      }
    }
    // Once, however often it is set in one frame: each change visits all streams.
    guard peerInitialWindow != before else { return }
    for index in streams.indices {
      try streams[index].sendWindow.initialChanged(from: before, to: peerInitialWindow)
      // Windows can become negative (section 6.9.2).
      if streams[index].canSend { becomeReadyIfItCan(index) } else { streams[index].isReady = false }
    }
    // Whoever is ready again gets another turn, and must not have two.
    turns = turns.filter { id in index(of: id).map { streams[$0].isReady } ?? false }
  }

  /// The client's next block starts by emptying the table, and nothing before may refer to it.
  private mutating func acknowledgementReceived() {
    guard !settingsAcknowledged else { return }
    settingsAcknowledged = true
    clock.settingsAcknowledged()
    decoder.setMaximumTableSize(0)
    decoder.forgetTable()
  }

  private mutating func windowUpdated(
    _ id: StreamIdentifier, _ increment: UInt32, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) throws(HTTP2Error) {
    if id == 0 { return try sendWindow.widen(by: increment, stream: 0) }
    try checkNotIdle(id)
    guard let index = index(of: id) else { return }
    do {
      try streams[index].sendWindow.widen(by: increment, stream: id)
      becomeReadyIfItCan(index)
    } catch {
      reset(at: index, error.code, .connectionLost(error.description), &output, &events)
    }
  }

  // MARK: Of a stream

  /// Frames of streams that were never opened are errors of the connection (section 5.1).
  func checkNotIdle(_ id: StreamIdentifier) throws(HTTP2Error) {
    guard id <= lastStream, !id.isMultiple(of: 2) else {
      throw HTTP2Error(.protocolError, "a frame of stream \(id), which is not open")
    }
  }

  private mutating func malformedReceived(
    _ error: HTTP2Error, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) throws(HTTP2Error) {
    guard error.stream <= lastStream else { throw HTTP2Error(error.code, error.message) }
    if let index = index(of: error.stream) {
      reset(at: index, error.code, .connectionLost(error.description), &output, &events)
    }
  }

  private mutating func resetReceived(_ id: StreamIdentifier, _ events: inout [EngineEvent]) throws(HTTP2Error) {
    try checkNotIdle(id)
    if let index = index(of: id) { close(at: index, .cancelledByClient, &events) }
  }

  private mutating func dataReceived(
    _ id: StreamIdentifier, _ bytes: ArraySlice<UInt8>, _ flowControlled: Int, _ endStream: Bool, _ now: Milliseconds,
    _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) throws(HTTP2Error) {
    try checkNotIdle(id)
    try pay(now, count: flowControlled / Allowance.bytesPerFrame)
    try receiveWindow.receive(flowControlled, stream: 0)
    // What is incomplete is bounded by itself, so the window never has to hold a client back.
    if let increment = receiveWindow.release(flowControlled) {
      FrameWriter.appendWindowUpdate(stream: 0, increment: increment, to: &output)
    }
    // In flight when the stream was closed.
    guard let index = index(of: id) else { return }
    guard !streams[index].inputEnded else {
      return reset(at: index, .streamClosed, .connectionLost("DATA after the end of stream \(id)"), &output, &events)
    }
    do {
      try streams[index].receiveWindow.receive(flowControlled, stream: id)
    } catch {
      return reset(at: index, error.code, .connectionLost(error.description), &output, &events)
    }
    if !endStream, let increment = streams[index].receiveWindow.release(flowControlled) {
      FrameWriter.appendWindowUpdate(stream: id, increment: increment, to: &output)
    }
    try readMessages(at: index, bytes, now, &events)
    if endStream { endInput(at: index, now, &events) }
  }

  private mutating func readMessages(
    at index: Int, _ bytes: ArraySlice<UInt8>, _ now: Milliseconds, _ events: inout [EngineEvent]
  ) throws(HTTP2Error) {
    // Of a call that was ended nothing more is wanted.
    guard streams[index].ending == nil else { return }
    let before = streams[index].reader.incompleteBytes
    let (completed, failure) = takeMessages(at: index, bytes, &events)
    let after = streams[index].reader.incompleteBytes
    incompleteBytes = incompleteBytes &- UInt32(before) &+ UInt32(after)
    // The first was paid for by the frame; of the others there are at most as many as fit into one.
    if completed > 1 { try pay(now, count: completed - 1) }
    if let failure { return end(at: index, EdgeStatus(failure), now) }
    guard incompleteBytes <= limits.values.incompleteBytes else {
      let text = "\(incompleteBytes) bytes of messages that are not complete; at most \(limits.values.incompleteBytes)"
      return end(at: index, EdgeStatus(.resourceExhausted, text), now)
    }
    if completed > 0 { streams[index].awaitsMessage = false }
    if after > 0, completed > 0 || before == 0 && !streams[index].awaitsMessage { messageBegan(at: index, now) }
  }

  /// - Returns: how many were completed, and what was wrong with the one after.
  private mutating func takeMessages(
    at index: Int, _ bytes: ArraySlice<UInt8>, _ events: inout [EngineEvent]
  ) -> (Int, GRPCFramingError?) {
    var rest = bytes
    var completed = 0
    do throws(GRPCFramingError) {
      while let message = try streams[index].reader.next(from: &rest) {
        guard !message.compressed else {
          throw streams[index].declaresEncoding ? .compressed : .compressedUndeclared
        }
        guard !streams[index].takesOneMessage || streams[index].awaitsMessage && completed == 0 else {
          throw .anotherMessage
        }
        if let call = streams[index].call { events.append(.message(call, message.bytes)) }
        completed += 1
      }
    } catch {
      return (completed, error)
    }
    return (completed, nil)
  }

  /// The call gives up what it has of a message, and owes nothing any more.
  mutating func dropIncompleteMessage(at index: Int) {
    incompleteBytes -= UInt32(streams[index].reader.incompleteBytes)
    streams[index].reader.drop()
    streams[index].awaitsMessage = false
  }

  mutating func messageBegan(at index: Int, _ now: Milliseconds) {
    streams[index].messageBegan = UInt32(truncatingIfNeeded: now)
    clock.streamDeadline = min(clock.streamDeadline, now + limits.values.patience)
  }

  mutating func endInput(at index: Int, _ now: Milliseconds, _ events: inout [EngineEvent]) {
    streams[index].inputEnded = true
    streams[index].awaitsMessage = false
    guard streams[index].ending == nil else { return }
    guard streams[index].reader.isBetweenMessages else {
      return end(at: index, EdgeStatus(.internalError, "the stream ended within a message"), now)
    }
    if let call = streams[index].call { events.append(.inputEnded(call)) }
  }
}
