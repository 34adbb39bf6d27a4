/// HTTP/2 (RFC 9113), header compression (RFC 7541) and gRPC's message framing as values: bytes in, typed frames,
/// headers and messages out, and back.
///
/// *Rules.* Nothing here reads a socket, a clock or a random number, and nothing knows the state of a stream: whoever
/// owns the connection keeps that. Everything a peer can make grow has a bound. What an idle connection costs is a few
/// words: buffers exist only while a frame or message is incomplete, HPACK tables only once they have an entry.
///
/// *Both sides.* The same types serve a client and a server; `Endpoint` says which one is here where it matters.
///
/// *Slices.* Whole frames are handed out as slices of the caller's input, without a copy. A slice keeps that input
/// alive, and writing to the input while a slice lives copies it: let go of the frames before reading on.
///
/// *Rejected:* a reader that owns all input (each idle connection would keep a buffer, each payload be copied); header
/// fields as strings (values are bytes, and each would be an allocation).

/// One frame that is complete and well-formed in itself. Whether it is allowed in the state of its stream is for the
/// owner of the connection to say.
public enum Frame: Hashable, Sendable {
  /// DATA (section 6.1). `flowControlled` is what it takes from the windows, in bytes: padding counts.
  case data(stream: StreamIdentifier, bytes: ArraySlice<UInt8>, flowControlled: Int, endStream: Bool)
  /// HEADERS with its CONTINUATIONs (sections 6.2, 6.10); priority is read over, as it is deprecated. Each block has
  /// to go through the connection's `HPACKDecoder`, also for streams that are refused.
  case headers(stream: StreamIdentifier, block: ArraySlice<UInt8>, endStream: Bool)
  /// PRIORITY (section 6.3): deprecated, nothing to do.
  case priority(stream: StreamIdentifier)
  /// RST_STREAM (section 6.4)
  case reset(stream: StreamIdentifier, code: ErrorCode)
  /// SETTINGS (section 6.5): apply it, then acknowledge.
  case settings([Setting])
  /// SETTINGS with ACK: ours hold now.
  case settingsAcknowledged
  /// PUSH_PROMISE with its CONTINUATIONs (section 6.6); a server's reader refuses it.
  case pushPromise(stream: StreamIdentifier, promised: StreamIdentifier, block: ArraySlice<UInt8>)
  /// PING (section 6.7): answer it with the same eight bytes, here a big-endian number, unless it is an answer.
  case ping(data: UInt64, acknowledgement: Bool)
  /// GOAWAY (section 6.8): streams above `lastStream` were not and will not be processed.
  case goAway(lastStream: StreamIdentifier, code: ErrorCode, debugData: ArraySlice<UInt8>)
  /// WINDOW_UPDATE (section 6.9), 1 to 2^31 - 1 bytes; stream 0 is the connection's window.
  case windowUpdate(stream: StreamIdentifier, increment: UInt32)
  /// A frame that breaks a rule at the cost of its stream only (section 5.4.2): reset the stream.
  case malformed(HTTP2Error)
}

/// A side of a connection.
public enum Endpoint: Hashable, Sendable {
  case client, server

  var peer: Endpoint { self == .client ? .server : .client }
}

/// What a client sends first, before its SETTINGS (RFC 9113, section 3.4).
public let clientPreface: [UInt8] = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
