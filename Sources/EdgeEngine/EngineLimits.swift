/// What one connection may cost the server. Every default is meant for strangers: a client that keeps to gRPC's usual
/// manners never meets one.
public struct EngineLimits: Hashable, Sendable {
  /// Calls that are open at once on a connection: SETTINGS_MAX_CONCURRENT_STREAMS. More are refused.
  public var concurrentCalls = 1_024
  /// Bytes of a message from the client; a larger one ends its call with RESOURCE_EXHAUSTED.
  public var receivedMessageBytes = 64 * 1_024
  /// Bytes of a call's header list, counted as RFC 9113, section 6.5.2 does; a larger one is answered with status 431.
  public var headerListBytes = 16 * 1_024
  /// Bytes of a header block, as it comes. More than the list, so that a list that is too long is the end of its call and not of
  /// the connection, which others may share.
  public var headerBlockBytes: Int { headerListBytes * 4 }
  /// Bytes of messages that have begun and are not complete, all calls of a connection together; the call that exceeds
  /// them ends with RESOURCE_EXHAUSTED.
  public var incompleteBytes = 256 * 1_024
  /// Bytes of answers (SETTINGS and PING acknowledgements, resets) that wait for a client that does not read.
  public var unsentAnswerBytes = 64 * 1_024
  /// Milliseconds for the preface and the acknowledgement of our settings, for a frame or message that has begun, and for
  /// a call that was ended to be read to its end.
  public var patience: Milliseconds = 10_000
  /// Milliseconds for a connection without a call.
  public var idle: Milliseconds = 60_000
  /// PING after so many milliseconds without a byte from the client...
  public var keepAliveInterval: Milliseconds = 30_000
  /// ...and the end when so many more bring none.
  public var keepAliveTimeout: Milliseconds = 10_000
  /// Frames of any kind that a client may send each second, and one more for each open call; ten seconds' worth, or six times
  /// `concurrentCalls`, at once. Of the messages within one frame each after the first counts as a frame, and so do 2 KiB
  /// of DATA. What the client is sent earns more, since that has to be acknowledged, unless it is an answer.
  public var framesPerSecond = 200
  /// Calls that a client may open each second; ten seconds' worth, or twice `concurrentCalls`, at once. Each may cost the
  /// application far more than a frame: a session is written to a registry.
  public var callsPerSecond = 100

  public init() {}
}

/// Time, since any fixed moment.
public typealias Milliseconds = Int64
