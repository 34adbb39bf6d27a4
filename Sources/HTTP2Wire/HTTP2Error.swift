/// A number from 0 to 2^31 - 1 that names a stream; odd ones are the client's, 0 is the connection as a whole
/// (RFC 9113, section 5.1.1).
public typealias StreamIdentifier = UInt32

/// Why a connection or a stream ends (RFC 9113, section 7). Codes that are not listed are kept as they came, and mean
/// no more than `internalError`.
public struct ErrorCode: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// NO_ERROR: an orderly end.
  public static let noError = ErrorCode(rawValue: 0x0)
  /// PROTOCOL_ERROR: the peer broke a rule that no other code names.
  public static let protocolError = ErrorCode(rawValue: 0x1)
  /// INTERNAL_ERROR
  public static let internalError = ErrorCode(rawValue: 0x2)
  /// FLOW_CONTROL_ERROR: more was sent than the window allowed, or a window grew beyond 2^31 - 1.
  public static let flowControlError = ErrorCode(rawValue: 0x3)
  /// SETTINGS_TIMEOUT: no acknowledgement of the settings came in time.
  public static let settingsTimeout = ErrorCode(rawValue: 0x4)
  /// STREAM_CLOSED: a frame came for a stream after its end.
  public static let streamClosed = ErrorCode(rawValue: 0x5)
  /// FRAME_SIZE_ERROR: a frame's length is not one that its type allows.
  public static let frameSizeError = ErrorCode(rawValue: 0x6)
  /// REFUSED_STREAM: nothing was done for the stream; it is safe to try again.
  public static let refusedStream = ErrorCode(rawValue: 0x7)
  /// CANCEL: the stream is no longer wanted.
  public static let cancel = ErrorCode(rawValue: 0x8)
  /// COMPRESSION_ERROR: the shared state of header compression is lost.
  public static let compressionError = ErrorCode(rawValue: 0x9)
  /// CONNECT_ERROR
  public static let connectError = ErrorCode(rawValue: 0xa)
  /// ENHANCE_YOUR_CALM: the peer costs more than it is allowed to.
  public static let enhanceYourCalm = ErrorCode(rawValue: 0xb)
  /// INADEQUATE_SECURITY
  public static let inadequateSecurity = ErrorCode(rawValue: 0xc)
  /// HTTP_1_1_REQUIRED
  public static let http11Required = ErrorCode(rawValue: 0xd)
}

/// What the peer did wrong. On stream 0 it ends the connection: send GOAWAY with the code, then close (RFC 9113,
/// section 5.4.1). On another one, reset that stream with the code (section 5.4.2).
public struct HTTP2Error: Error, Hashable, Sendable, CustomStringConvertible {
  public let code: ErrorCode
  /// 0: the whole connection.
  public let stream: StreamIdentifier
  /// For the peer's developer; goes well into GOAWAY's debug data.
  public let message: String

  public init(_ code: ErrorCode, stream: StreamIdentifier = 0, _ message: String) {
    self.code = code
    self.stream = stream
    self.message = message
  }

  public var description: String {
    (stream == 0 ? "the connection" : "stream \(stream)") + ", error \(code.rawValue): " + message
  }
}
