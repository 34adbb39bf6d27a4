/// Cuts what a peer sends into frames (RFC 9113, section 4), whatever pieces it comes in.
///
/// It checks everything that a frame shows by itself: the preface, that SETTINGS comes first, lengths, padding, stream
/// numbers, and that nothing comes between a header block's frames. A broken rule ends the connection: the reader
/// throws, and throws the same from then on.
///
/// *Memory.* It holds at most one incomplete frame and one incomplete header block.
public struct FrameReader: Sendable {
  // In few bytes, as each connection has one: what is rare is behind a reference.
  private var state = State.reading(PieceCutter())
  /// One at most; an array, which takes a word while it is empty.
  private var unfinishedBlocks: [UnfinishedHeaderBlock] = []
  private var passedOver: UInt32 = 0
  private var frameSize: UInt32
  private let headerBlockSize: UInt32
  let role: Endpoint
  private var prefaceMissing: UInt8
  private var sawSettings = false

  private enum State: Sendable {
    case reading(PieceCutter)
    case failed(Failure)
  }

  /// Bytes of payload that the peer may put into a frame: our SETTINGS_MAX_FRAME_SIZE. Set it when we send a larger
  /// one, or when a smaller one is acknowledged.
  public var maximumFrameSize: Int {
    get { Int(frameSize) }
    set { frameSize = UInt32(newValue) }
  }
  var maximumHeaderBlock: Int { Int(headerBlockSize) }
  var unfinished: UnfinishedHeaderBlock? {
    get { unfinishedBlocks.first }
    set { unfinishedBlocks = newValue.map { [$0] } ?? [] }
  }

  private final class Failure: Sendable {
    let error: HTTP2Error
    init(_ error: HTTP2Error) { self.error = error }
  }

  /// - Parameters:
  ///   - role: the side that reads; a server expects the client's preface first.
  ///   - maximumHeaderBlock: bytes of compressed header block, with nine more for each CONTINUATION so that a peer
  ///     cannot send empty ones for ever.
  public init(role: Endpoint, maximumFrameSize: Int = 16_384, maximumHeaderBlock: Int = 32_768) {
    self.role = role
    frameSize = UInt32(maximumFrameSize)
    headerBlockSize = UInt32(maximumHeaderBlock)
    prefaceMissing = role == .server ? UInt8(clientPreface.count) : 0
  }

  /// Frames of unknown type and CONTINUATIONs since the last time: what `next` does not hand out.
  public mutating func takePassedOver() -> Int {
    defer { passedOver = 0 }
    return Int(passedOver)
  }

  /// The next frame; nil when `input` is used up. What is taken is removed from the front of `input`. Frames of unknown
  /// type are passed over (section 5.5).
  ///
  /// - Throws: what ends the connection. FRAME_SIZE_ERROR for a length that is above the maximum or wrong for its
  ///   type, ENHANCE_YOUR_CALM for a header block above its bound, FLOW_CONTROL_ERROR for an initial window above
  ///   2^31 - 1, PROTOCOL_ERROR for the rest.
  public mutating func next(from input: inout ArraySlice<UInt8>) throws(HTTP2Error) -> Frame? {
    if case .failed(let failure) = state { throw failure.error }
    do {
      if prefaceMissing > 0 { try readPreface(from: &input) }
      while let whole = try nextWhole(from: &input) {
        let payload = whole.dropFirst(FrameHeader.count)
        if let frame = try interpret(FrameHeader(whole), payload) { return frame }
        passedOver &+= 1
      }
      return nil
    } catch {
      state = .failed(Failure(error))
      unfinished = nil
      throw error
    }
  }

  /// Whether the input so far ends between two frames: if not, and no more comes, the peer broke off.
  public var isBetweenFrames: Bool {
    if case .reading(let cutter) = state, !cutter.isEmpty { return false }
    return unfinishedBlocks.isEmpty && prefaceMissing == 0
  }

  private mutating func readPreface(from input: inout ArraySlice<UInt8>) throws(HTTP2Error) {
    let piece = input.prefix(Int(prefaceMissing))
    guard clientPreface.suffix(Int(prefaceMissing)).starts(with: piece) else {
      throw HTTP2Error(.protocolError, "the connection does not start with the HTTP/2 client preface")
    }
    prefaceMissing -= UInt8(piece.count)
    input = input.dropFirst(piece.count)
  }

  private mutating func nextWhole(from input: inout ArraySlice<UInt8>) throws(HTTP2Error) -> ArraySlice<UInt8>? {
    guard case .reading(var cutter) = state else { return nil }
    // Held once while it grows.
    state = .reading(PieceCutter())
    defer { state = .reading(cutter) }
    let expectation = expectation
    let whole = try cutter.next(from: &input, prefix: FrameHeader.count) { bytes throws(HTTP2Error) in
      let header = FrameHeader(bytes)
      try expectation.check(header)
      return FrameHeader.count + header.length
    }
    // The first frame is SETTINGS, as was expected.
    if whole != nil { sawSettings = true }
    return whole
  }

  /// What the next frame may be, by its header.
  private var expectation: FrameExpectation {
    FrameExpectation(maximumFrameSize: maximumFrameSize, first: !sawSettings, continued: unfinished?.stream)
  }
}

/// What can be said before the payload is there, so that nothing is kept of a frame that will be refused.
private struct FrameExpectation {
  let maximumFrameSize: Int
  /// Whether it is the connection's first.
  let first: Bool
  /// The stream whose header block has to go on.
  let continued: StreamIdentifier?

  func check(_ header: FrameHeader) throws(HTTP2Error) {
    if first, header.type != FrameType.settings.rawValue || header.has(FrameFlag.acknowledgement) {
      throw HTTP2Error(.protocolError, "the first frame is not SETTINGS")
    }
    guard header.length <= maximumFrameSize else {
      throw HTTP2Error(.frameSizeError, "a frame of \(header.length) bytes; at most \(maximumFrameSize) are allowed")
    }
    let continues = header.type == FrameType.continuation.rawValue
    guard continues == (continued != nil), !continues || header.stream == continued else {
      throw HTTP2Error(.protocolError, "a header block's frames do not follow one another")
    }
  }
}
