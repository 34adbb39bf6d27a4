/// A header block of which CONTINUATION frames are to come (RFC 9113, section 4.3).
struct UnfinishedHeaderBlock: Sendable {
  enum Start: Sendable {
    case headers(endStream: Bool)
    case pushPromise(StreamIdentifier)
  }

  let start: Start
  let stream: StreamIdentifier
  var block: [UInt8] = []
  /// Bytes counted against the bound: those of the block and each CONTINUATION's header.
  var cost = 0

  func frame(_ block: ArraySlice<UInt8>) -> Frame {
    switch start {
    case .headers(let endStream): .headers(stream: stream, block: block, endStream: endStream)
    case .pushPromise(let promised): .pushPromise(stream: stream, promised: promised, block: block)
    }
  }
}

extension FrameReader {
  mutating func headers(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame? {
    var fragment = try unpadded(header, payload)
    if header.has(FrameFlag.priority) {
      guard fragment.count >= 5 else {
        throw HTTP2Error(.frameSizeError, "HEADERS is too short for its priority")
      }
      fragment = fragment.dropFirst(5)
    }
    let endStream = header.has(FrameFlag.endStream)
    return try begin(
      UnfinishedHeaderBlock(start: .headers(endStream: endStream), stream: header.stream), header, fragment)
  }

  mutating func pushPromise(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame? {
    guard role == .client else { throw HTTP2Error(.protocolError, "a client pushes nothing") }
    let rest = try unpadded(header, payload)
    guard rest.count >= 4 else { throw HTTP2Error(.frameSizeError, "PUSH_PROMISE is too short for a stream") }
    let promised = rest.bigEndian32(at: rest.startIndex) & 0x7fff_ffff
    guard promised != 0, promised.isMultiple(of: 2) else {
      throw HTTP2Error(.protocolError, "PUSH_PROMISE names stream \(promised), which is not a server's")
    }
    return try begin(
      UnfinishedHeaderBlock(start: .pushPromise(promised), stream: header.stream), header, rest.dropFirst(4))
  }

  mutating func continuation(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame? {
    guard var gathered = unfinished.take() else { return nil }
    gathered.cost += FrameHeader.count + payload.count
    try check(gathered.cost)
    gathered.block.append(contentsOf: payload)
    if header.has(FrameFlag.endHeaders) { return gathered.frame(gathered.block[...]) }
    unfinished = gathered
    return nil
  }

  /// A block that is whole already is not copied.
  private mutating func begin(
    _ start: UnfinishedHeaderBlock, _ header: FrameHeader, _ fragment: ArraySlice<UInt8>
  ) throws(HTTP2Error) -> Frame? {
    try check(fragment.count)
    if header.has(FrameFlag.endHeaders) { return start.frame(fragment) }
    var gathered = start
    gathered.block = Array(fragment)
    gathered.cost = fragment.count
    unfinished = gathered
    return nil
  }

  private func check(_ cost: Int) throws(HTTP2Error) {
    guard cost <= maximumHeaderBlock else {
      throw HTTP2Error(.enhanceYourCalm, "a header block above \(maximumHeaderBlock) bytes")
    }
  }
}
