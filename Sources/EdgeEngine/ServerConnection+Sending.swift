public import HTTP2Wire
public import SessionEdge

extension ServerConnection {
  /// Queues a message. Without effect on a call that was ended or is gone. The queue is the caller's to bound.
  /// - Parameter isAnswer: to a message of the client, which may send no more for being answered.
  public mutating func send(_ message: [UInt8], on stream: StreamIdentifier, isAnswer: Bool = false) {
    guard let index = index(of: stream), streams[index].ending == nil else { return }
    streams[index].outbox.append(message, isAnswer: isAnswer)
    becomeReadyIfItCan(index)
  }

  /// Queues a message, and drops the oldest that were queued by this and have not begun, while more than `limit` bytes wait.
  public mutating func send(
    _ message: [UInt8], on stream: StreamIdentifier, displacingBeyond limit: Int, events: inout [EngineEvent]
  ) {
    guard let index = index(of: stream), streams[index].ending == nil else { return }
    streams[index].outbox.append(message, isDroppable: true)
    tell(streams[index].outbox.drop(beyond: limit), index, &events)
    becomeReadyIfItCan(index)
  }

  private func tell(_ dropped: Outbox.Dropped, _ index: Int, _ events: inout [EngineEvent]) {
    guard dropped.messages > 0, let call = streams[index].call else { return }
    events.append(.dropped(call, dropped.messages, bytes: dropped.bytes))
  }

  /// As `end`, but what is queued and has not begun is dropped; the event counts what was sent with a limit.
  public mutating func endNow(
    _ stream: StreamIdentifier, _ status: EdgeStatus, now: Milliseconds, events: inout [EngineEvent]
  ) {
    guard let index = index(of: stream), streams[index].ending == nil else { return }
    tell(streams[index].outbox.dropAll(), index, &events)
    end(at: index, status, now)
  }

  /// Ends the call after what is queued; the first status counts. If that is not read within the limits' patience, the
  /// stream is reset.
  public mutating func end(_ stream: StreamIdentifier, _ status: EdgeStatus, now: Milliseconds) {
    if let index = index(of: stream) { end(at: index, status, now) }
  }

  mutating func end(at index: Int, _ status: EdgeStatus, _ now: Milliseconds) {
    guard streams[index].ending == nil else { return }
    dropIncompleteMessage(at: index)
    streams[index].end(status, deadline: now + limits.values.patience)
    clock.streamDeadline = min(clock.streamDeadline, streams[index].deadline)
    becomeReadyIfItCan(index)
  }

  /// Ends every call now, whatever is queued: with `status` where it can still be said.
  public mutating func abortCalls(
    _ status: EdgeStatus, _ reason: EdgeCloseReason, into output: inout [UInt8], events: inout [EngineEvent]
  ) {
    while let last = streams.indices.last { abort(at: last, status, reason, &output, &events) }
  }

  mutating func abort(
    at index: Int, _ status: EdgeStatus, _ reason: EdgeCloseReason, _ output: inout [UInt8],
    _ events: inout [EngineEvent]
  ) {
    // A status in the middle of a message would not be understood.
    guard !streams[index].outbox.isWithinMessage else { return reset(at: index, .cancel, reason, &output, &events) }
    streams[index].outbox.removeAll()
    finish(at: index, status, reason, &output, &events)
  }

  mutating func reset(
    at index: Int, _ code: ErrorCode, _ reason: EdgeCloseReason, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) {
    FrameWriter.appendReset(stream: streams[index].id, code: code, to: &output)
    close(at: index, reason, &events)
  }

  // MARK: Turns

  mutating func becomeReadyIfItCan(_ index: Int) {
    guard !streams[index].isReady, streams[index].canSend else { return }
    streams[index].isReady = true
    if streams.count > 1 { turns.append(streams[index].id) }
  }

  // MARK: Producing

  /// Appends messages and trailers, stream by stream in turn, until `output` has `limit` bytes or nothing more may be sent.
  public mutating func produce(atMost limit: Int, into output: inout [UInt8], events: inout [EngineEvent]) {
    if streams.count > 1 { produceInTurn(limit, &output, &events) }
    while streams.count == 1, streams[0].isReady, output.count < limit {
      guard produce(at: 0, atMost: limit - output.count, &output, &events) else { return }
    }
  }

  private mutating func produceInTurn(_ limit: Int, _ output: inout [UInt8], _ events: inout [EngineEvent]) {
    var position = 0
    while streams.count > 1, output.count < limit, position < turns.count, sendWindow.available > 0 {
      let id = turns[position]
      position += 1
      guard let index = index(of: id), streams[index].isReady else { continue }
      produce(at: index, atMost: min(limit - output.count, Int(peerFrameSize)), &output, &events)
      if let left = self.index(of: id), streams[left].isReady { turns.append(id) }
    }
    turns = streams.count > 1 ? Array(turns.dropFirst(position)) : []
    if sendWindow.available <= 0 { produceTrailers(limit, &output, &events) }
  }

  /// While the connection's window lets nothing else out. The others are not tried one by one: a window that opens a byte at a time
  /// would make each byte cost as much as there are calls.
  private mutating func produceTrailers(_ limit: Int, _ output: inout [UInt8], _ events: inout [EngineEvent]) {
    let count = streams.count
    var index = count
    while index > 0, streams.count > 1, output.count < limit {
      index -= 1
      guard streams[index].isReady, streams[index].needsNoWindow else { continue }
      produce(at: index, atMost: limit - output.count, &output, &events)
    }
    if streams.count < count { turns = turns.filter { self.index(of: $0) != nil } }
  }

  /// One step of one stream: a DATA frame, or its end.
  ///
  /// - Returns: false when the connection's window lets nothing out.
  @discardableResult
  private mutating func produce(
    at index: Int, atMost limit: Int, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) -> Bool {
    guard !streams[index].outbox.isEmpty else {
      if let ending = streams[index].ending { finish(at: index, ending, .ended, &output, &events) }
      return true
    }
    let window = min(sendWindow.available, streams[index].sendWindow.available)
    let most = min(window, min(Int(peerFrameSize), max(limit, Self.smallestPiece)))
    guard most > 0 else { return false }
    appendInitialHeaders(index, &output)
    appendData(index, atMost: most, &output, &events)
    if !streams[index].canSend { streams[index].isReady = false }
    return true
  }

  /// Rather than cut messages to fit the rest of a buffer.
  private static let smallestPiece = 1_024

  private mutating func appendInitialHeaders(_ index: Int, _ output: inout [UInt8]) {
    guard !streams[index].headersSent else { return }
    streams[index].headersSent = true
    FrameWriter.appendHeaders(stream: streams[index].id, endStream: false, to: &output) {
      if tableUpdate == .owed { $0.append(Self.emptyTable) }
      $0 += ResponseHeaders.initialBlock
    }
    if tableUpdate == .owed { tableUpdate = .told }
  }

  private mutating func appendData(
    _ index: Int, atMost most: Int, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) {
    let start = output.count
    FrameWriter.appendDataHeader(count: 0, stream: streams[index].id, endStream: false, to: &output)
    let moved = streams[index].outbox.move(atMost: most, to: &output)
    FrameWriter.setLength(moved.bytes, ofFrameAt: start, in: &output)
    // Cannot fail: `most` is within both.
    try? sendWindow.take(moved.bytes, stream: 0)
    try? streams[index].sendWindow.take(moved.bytes, stream: streams[index].id)
    allowance.earn(moved)
    if let call = streams[index].call { events.append(.written(call, moved.ofMessages)) }
  }

  /// Trailers, and if the client has not half-closed, word that nothing more is wanted of it (section 8.1).
  private mutating func finish(
    at index: Int, _ status: EdgeStatus, _ reason: EdgeCloseReason, _ output: inout [UInt8],
    _ events: inout [EngineEvent]
  ) {
    let stream = streams[index]
    let trailers = ResponseHeaders.trailers(status, alone: !stream.headersSent)
    appendHeaders(trailers, stream.id, endStream: true, &output)
    if tableUpdate == .owed { tableUpdate = .told }
    if !stream.inputEnded { FrameWriter.appendReset(stream: stream.id, code: .noError, to: &output) }
    close(at: index, reason, &events)
  }
}

extension EdgeStatus {
  init(_ error: GRPCFramingError) {
    self.init(Code(rawValue: error.status) ?? .internalError, error.message)
  }
}

extension GRPCFramingError {
  static let anotherMessage = GRPCFramingError(
    status: EdgeStatus.Code.invalidArgument.rawValue, message: "another message; the call takes one")
  static let compressed = GRPCFramingError(
    status: EdgeStatus.Code.unimplemented.rawValue, message: "compressed messages are not taken; send identity")
  /// As gRPC's document on compression has it.
  static let compressedUndeclared = GRPCFramingError(
    status: EdgeStatus.Code.internalError.rawValue, message: "a compressed message without grpc-encoding")
}
