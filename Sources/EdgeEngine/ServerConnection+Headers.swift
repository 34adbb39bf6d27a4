internal import HTTP2Wire
internal import SessionEdge

extension ServerConnection {
  mutating func headersReceived(
    _ id: StreamIdentifier, _ block: ArraySlice<UInt8>, _ endStream: Bool, _ now: Milliseconds,
    _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) throws(HTTP2Error) {
    // In any case, as the table is shared with all streams.
    var headers = HeaderList()
    let outcome = try decoder.decode(block, into: &headers)
    if let index = index(of: id) { return trailersReceived(at: index, endStream, now, &output, &events) }
    guard !id.isMultiple(of: 2) else { throw HTTP2Error(.protocolError, "a client's stream has the even number \(id)") }
    // Trailers that crossed our end of the call, say: behind a proxy others have their calls on this connection.
    guard id > lastStream else { return }
    lastStream = id
    guard phase == .open, streams.count < limits.values.concurrentCalls else {
      return FrameWriter.appendReset(stream: id, code: .refusedStream, to: &output)
    }
    guard outcome == .complete else { return refuse(id, .status(431), &output) }
    guard allowance.takeCall(limits.values, openCalls: streams.count, now: now) else {
      // Not REFUSED_STREAM, after which a client would try again at once.
      return FrameWriter.appendReset(stream: id, code: .enhanceYourCalm, to: &output)
    }
    do {
      open(id, try RequestHead(headers), endStream, now, &events)
    } catch {
      refuse(id, error, &output)
    }
  }

  private mutating func open(
    _ id: StreamIdentifier, _ head: RequestHead, _ endStream: Bool, _ now: Milliseconds, _ events: inout [EngineEvent]
  ) {
    // From two on, turns are kept.
    if streams.count == 1, streams[0].isReady { turns = [streams[0].id] }
    var stream = ServerStream(id: id, sendWindow: peerInitialWindow, limits: limits.values)
    stream.inputEnded = endStream
    stream.declaresEncoding = head.declaresEncoding
    if let timeout = head.timeout {
      stream.limit(to: now + timeout)
      clock.streamDeadline = min(clock.streamDeadline, stream.deadline)
    }
    streams.append(stream)
    clock.idleSince = .max
    events.append(.opened(id, head, inputEnded: endStream))
  }

  private mutating func trailersReceived(
    at index: Int, _ endStream: Bool, _ now: Milliseconds, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) {
    guard endStream, !streams[index].inputEnded else {
      let code: ErrorCode = endStream ? .streamClosed : .protocolError
      return reset(at: index, code, .connectionLost("HEADERS within stream \(streams[index].id)"), &output, &events)
    }
    endInput(at: index, now, &events)
  }

  private mutating func refuse(_ id: StreamIdentifier, _ refusal: RequestHead.Refusal, _ output: inout [UInt8]) {
    switch refusal {
    case .malformed:
      FrameWriter.appendReset(stream: id, code: .protocolError, to: &output)
    case .status(let status):
      appendHeaders(ResponseHeaders.plain(status), id, endStream: true, &output)
      FrameWriter.appendReset(stream: id, code: .noError, to: &output)
    }
  }

  func appendHeaders(_ list: HeaderList, _ id: StreamIdentifier, endStream: Bool, _ output: inout [UInt8]) {
    var encoder = HPACKEncoder()
    FrameWriter.appendHeaders(stream: id, endStream: endStream, maximumFrameSize: Int(peerFrameSize), to: &output) {
      if tableUpdate == .owed { $0.append(Self.emptyTable) }
      encoder.encode(list, into: &$0)
    }
  }

  /// A table size update to 0 (RFC 7541, section 6.3).
  static var emptyTable: UInt8 { 0x20 }
}
