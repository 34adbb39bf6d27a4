public import HTTP2Wire
public import SessionEdge

/// The shell's own object for one call; the engine keeps it and hands it back. No protocol, whose table of witnesses would take
/// a word in each call.
public typealias EngineCall = AnyObject & Sendable

/// What happened, in order. The shell tells the application.
public enum EngineEvent {
  /// A call, always the last event of a step: the shell attaches its object with `attach` before it goes on. `inputEnded`:
  /// the client has half-closed already, and there will be no event for it.
  case opened(StreamIdentifier, RequestHead, inputEnded: Bool)
  /// A whole message.
  case message(any EngineCall, ArraySlice<UInt8>)
  /// The client has half-closed.
  case inputEnded(any EngineCall)
  /// So many bytes of messages are in the output, and as many more for answers as `EdgeAnswer` says.
  case written(any EngineCall, Int)
  /// So many messages, of so many bytes in all, were dropped before they began.
  case dropped(any EngineCall, Int, bytes: Int)
  /// The last one of a call.
  case closed(any EngineCall, EdgeCloseReason)
}
