extension FrameReader {
  /// The frame that a payload makes; nil for unknown types and for header blocks that are to be continued.
  mutating func interpret(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame? {
    guard let type = FrameType(rawValue: header.type) else { return nil }
    try checkStream(header, type)
    switch type {
    case .data: return try data(header, payload)
    case .headers: return try headers(header, payload)
    case .priority: return priority(header)
    case .reset:
      try expect(4, payload, "RST_STREAM")
      return .reset(stream: header.stream, code: ErrorCode(rawValue: payload.bigEndian32(at: payload.startIndex)))
    case .settings: return try settings(header, payload)
    case .pushPromise: return try pushPromise(header, payload)
    case .ping: return try ping(header, payload)
    case .goAway: return try goAway(payload)
    case .windowUpdate: return try windowUpdate(header, payload)
    case .continuation: return try continuation(header, payload)
    }
  }

  /// Whether the type belongs to a stream or to the connection (section 6).
  private func checkStream(_ header: FrameHeader, _ type: FrameType) throws(HTTP2Error) {
    switch type {
    case .settings, .ping, .goAway:
      guard header.stream == 0 else { throw HTTP2Error(.protocolError, "a frame of the connection names a stream") }
    case .data, .headers, .priority, .reset, .pushPromise, .continuation:
      guard header.stream != 0 else { throw HTTP2Error(.protocolError, "a frame of a stream names none") }
    case .windowUpdate: break
    }
  }

  private func expect(_ count: Int, _ payload: ArraySlice<UInt8>, _ type: String) throws(HTTP2Error) {
    guard payload.count == count else {
      throw HTTP2Error(.frameSizeError, "\(type) has \(payload.count) bytes; \(count) are right")
    }
  }

  /// Without the padding and its length (section 6.1).
  func unpadded(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> ArraySlice<UInt8> {
    guard header.has(FrameFlag.padded) else { return payload }
    guard let padding = payload.first else {
      throw HTTP2Error(.frameSizeError, "a padded frame is too short for the length of its padding")
    }
    guard Int(padding) < payload.count else {
      throw HTTP2Error(.protocolError, "padding is as long as its frame or longer")
    }
    return payload.dropFirst().dropLast(Int(padding))
  }

  private func data(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame {
    .data(
      stream: header.stream, bytes: try unpadded(header, payload), flowControlled: payload.count,
      endStream: header.has(FrameFlag.endStream))
  }

  private func priority(_ header: FrameHeader) -> Frame {
    guard header.length == 5 else {
      return .malformed(HTTP2Error(.frameSizeError, stream: header.stream, "PRIORITY has not 5 bytes"))
    }
    return .priority(stream: header.stream)
  }

  private func settings(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame {
    guard header.has(FrameFlag.acknowledgement) else {
      return .settings(try Setting.parse(payload, from: role.peer))
    }
    try expect(0, payload, "an acknowledgement of SETTINGS")
    return .settingsAcknowledged
  }

  private func ping(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame {
    try expect(8, payload, "PING")
    let start = payload.startIndex
    let data = UInt64(payload.bigEndian32(at: start)) << 32 | UInt64(payload.bigEndian32(at: start + 4))
    return .ping(data: data, acknowledgement: header.has(FrameFlag.acknowledgement))
  }

  private func goAway(_ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame {
    guard payload.count >= 8 else { throw HTTP2Error(.frameSizeError, "GOAWAY is shorter than 8 bytes") }
    let start = payload.startIndex
    return .goAway(
      lastStream: payload.bigEndian32(at: start) & 0x7fff_ffff,
      code: ErrorCode(rawValue: payload.bigEndian32(at: start + 4)), debugData: payload.dropFirst(8))
  }

  private func windowUpdate(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> Frame {
    try expect(4, payload, "WINDOW_UPDATE")
    let increment = payload.bigEndian32(at: payload.startIndex) & 0x7fff_ffff
    if increment > 0 { return .windowUpdate(stream: header.stream, increment: increment) }
    let error = HTTP2Error(.protocolError, stream: header.stream, "WINDOW_UPDATE adds nothing")
    if header.stream == 0 { throw error }
    return .malformed(error)
  }
}
