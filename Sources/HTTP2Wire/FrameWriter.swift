/// Appends frames to a buffer (RFC 9113, section 6). Nothing is padded, prioritised or pushed: gRPC has no use for it.
///
/// What is written is right as long as the arguments are: streams and sizes are the caller's to keep within bounds, and
/// a payload above 2^24 - 1 bytes is a programming error that stops the program.
public enum FrameWriter {
  /// DATA, in as many frames as `maximumFrameSize`, the peer's setting in bytes, demands; one when there are no bytes.
  /// The flow-control windows must allow `bytes.count`.
  public static func appendData(
    _ bytes: ArraySlice<UInt8>, stream: StreamIdentifier, endStream: Bool, maximumFrameSize: Int = 16_384,
    to output: inout [UInt8]
  ) {
    var rest = bytes
    repeat {
      let piece = rest.prefix(maximumFrameSize)
      rest = rest.dropFirst(piece.count)
      appendDataHeader(count: piece.count, stream: stream, endStream: endStream && rest.isEmpty, to: &output)
      output.append(contentsOf: piece)
    } while !rest.isEmpty
  }

  /// The head of a DATA frame whose `count` bytes the caller appends right after it, or sends from where they are.
  public static func appendDataHeader(
    count: Int, stream: StreamIdentifier, endStream: Bool, to output: inout [UInt8]
  ) {
    append(
      FrameHeader(length: count, type: .data, flags: endStream ? FrameFlag.endStream : 0, stream: stream), to: &output)
  }

  /// HEADERS, with CONTINUATIONs if the block is longer than `maximumFrameSize`, the peer's setting in bytes.
  ///
  /// - Parameter block: appends the compressed headers, and nothing else, to the buffer: `HPACKEncoder.encode`, or
  ///   bytes encoded before.
  public static func appendHeaders(
    stream: StreamIdentifier, endStream: Bool, maximumFrameSize: Int = 16_384, to output: inout [UInt8],
    block: (inout [UInt8]) -> Void
  ) {
    let start = output.count
    let flags = endStream ? FrameFlag.endStream : 0
    let whole = FrameHeader(length: 0, type: .headers, flags: flags | FrameFlag.endHeaders, stream: stream)
    append(whole, to: &output)
    block(&output)
    let count = output.count - start - FrameHeader.count
    if count <= maximumFrameSize {
      setLength(count, ofFrameAt: start, in: &output)
    } else {
      split(at: start, flags: flags, stream: stream, maximumFrameSize: maximumFrameSize, in: &output)
    }
  }

  /// Writes the one long frame from `start` to the end again, as several.
  private static func split(
    at start: Int, flags: UInt8, stream: StreamIdentifier, maximumFrameSize: Int, in output: inout [UInt8]
  ) {
    let block = Array(output[(start + FrameHeader.count)...])
    output.removeSubrange(start...)
    for from in stride(from: 0, to: block.count, by: maximumFrameSize) {
      let piece = block[from..<min(from + maximumFrameSize, block.count)]
      let end = piece.endIndex == block.count ? FrameFlag.endHeaders : 0
      append(
        FrameHeader(
          length: piece.count, type: from == 0 ? .headers : .continuation, flags: from == 0 ? flags | end : end,
          stream: stream),
        to: &output)
      output.append(contentsOf: piece)
    }
  }

  /// RST_STREAM
  public static func appendReset(stream: StreamIdentifier, code: ErrorCode, to output: inout [UInt8]) {
    append(FrameHeader(length: 4, type: .reset, flags: 0, stream: stream), to: &output)
    output.appendBigEndian(code.rawValue)
  }

  /// SETTINGS; an empty one is good too, and has to be the first frame of a connection.
  public static func appendSettings(_ settings: [Setting], to output: inout [UInt8]) {
    append(FrameHeader(length: settings.count * 6, type: .settings, flags: 0, stream: 0), to: &output)
    for setting in settings {
      output.append(UInt8(truncatingIfNeeded: setting.name.rawValue >> 8))
      output.append(UInt8(truncatingIfNeeded: setting.name.rawValue))
      output.appendBigEndian(setting.value)
    }
  }

  /// SETTINGS with ACK: the peer's settings hold now.
  public static func appendSettingsAcknowledgement(to output: inout [UInt8]) {
    append(FrameHeader(length: 0, type: .settings, flags: FrameFlag.acknowledgement, stream: 0), to: &output)
  }

  /// PING, or the answer to one.
  public static func appendPing(data: UInt64, acknowledgement: Bool, to output: inout [UInt8]) {
    let flags = acknowledgement ? FrameFlag.acknowledgement : 0
    append(FrameHeader(length: 8, type: .ping, flags: flags, stream: 0), to: &output)
    output.appendBigEndian(UInt32(truncatingIfNeeded: data >> 32))
    output.appendBigEndian(UInt32(truncatingIfNeeded: data))
  }

  /// GOAWAY. `debugData` is for the peer's developer; keep it short.
  public static func appendGoAway(
    lastStream: StreamIdentifier, code: ErrorCode, debugData: [UInt8] = [], to output: inout [UInt8]
  ) {
    append(FrameHeader(length: 8 + debugData.count, type: .goAway, flags: 0, stream: 0), to: &output)
    output.appendBigEndian(lastStream)
    output.appendBigEndian(code.rawValue)
    output.append(contentsOf: debugData)
  }

  /// WINDOW_UPDATE: the peer may send `increment` bytes more, 1 to 2^31 - 1; stream 0 is the connection's window.
  public static func appendWindowUpdate(stream: StreamIdentifier, increment: UInt32, to output: inout [UInt8]) {
    append(FrameHeader(length: 4, type: .windowUpdate, flags: 0, stream: stream), to: &output)
    output.appendBigEndian(increment)
  }

  static func append(_ header: FrameHeader, to output: inout [UInt8]) {
    precondition(header.length < 1 << 24, "a frame's length has 24 bits")
    output.appendBigEndian(UInt32(header.length) << 8 | UInt32(header.type))
    output.append(header.flags)
    output.appendBigEndian(header.stream)
  }

  /// Corrects the length of a frame whose head was written before its payload was known.
  ///
  /// - Parameter start: where the frame's head begins.
  public static func setLength(_ length: Int, ofFrameAt start: Int, in output: inout [UInt8]) {
    precondition(length < 1 << 24, "a frame's length has 24 bits")
    output[start] = UInt8(truncatingIfNeeded: length >> 16)
    output[start + 1] = UInt8(truncatingIfNeeded: length >> 8)
    output[start + 2] = UInt8(truncatingIfNeeded: length)
  }
}
