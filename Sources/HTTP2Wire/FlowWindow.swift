/// How many bytes of DATA may be sent on a stream or a connection (RFC 9113, section 6.9). The sender keeps one, and so
/// does the receiver, as part of a `ReceiveWindow`.
///
/// It can be below zero, after the peer has lowered its initial window (section 6.9.2).
public struct FlowWindow: Hashable, Sendable {
  /// 2^31 - 1
  public static let maximum = 0x7fff_ffff

  /// Bytes; send nothing while it is 0 or less.
  public var available: Int { Int(bytes) }

  /// Within 32 bits, as there are thousands of these: 2^31 - 1 above and below 0 are the bounds.
  private var bytes: Int32

  /// - Parameter initial: bytes; 65,535 for a connection, the peer's SETTINGS_INITIAL_WINDOW_SIZE for a stream.
  public init(initial: Int = 65_535) { bytes = Int32(initial) }

  /// Takes `count` bytes for a DATA frame, padding included.
  ///
  /// - Throws: FLOW_CONTROL_ERROR on `stream` when so many are not available.
  public mutating func take(_ count: Int, stream: StreamIdentifier) throws(HTTP2Error) {
    // An empty frame may be sent whatever the window is.
    guard count == 0 || count <= available else {
      throw HTTP2Error(.flowControlError, stream: stream, "\(count) bytes of DATA; the window is \(available)")
    }
    bytes -= Int32(count)
  }

  /// Adds what a WINDOW_UPDATE gives.
  ///
  /// - Throws: FLOW_CONTROL_ERROR on `stream` when it exceeds `maximum`.
  public mutating func widen(by increment: UInt32, stream: StreamIdentifier) throws(HTTP2Error) {
    try move(by: Int(increment), stream: stream)
  }

  /// Follows a change of SETTINGS_INITIAL_WINDOW_SIZE: for each open stream, never for the connection.
  ///
  /// - Throws: FLOW_CONTROL_ERROR on stream 0, for such settings end the connection, when it exceeds `maximum`.
  public mutating func initialChanged(from old: UInt32, to new: UInt32) throws(HTTP2Error) {
    try move(by: Int(new) - Int(old), stream: 0)
  }

  private mutating func move(by change: Int, stream: StreamIdentifier) throws(HTTP2Error) {
    guard available + change <= Self.maximum else {
      throw HTTP2Error(.flowControlError, stream: stream, "the flow-control window grows above 2^31 - 1")
    }
    bytes += Int32(change)
  }
}

/// The receiver's side: checks the peer, and says when to send a WINDOW_UPDATE. That is when half of the window is free
/// to give back, so that the peer never has to wait and updates stay few.
public struct ReceiveWindow: Hashable, Sendable {
  /// Bytes that may be on their way or unread at once.
  public var size: Int { Int(bytes) }
  private let bytes: Int32
  private var window: FlowWindow
  private var released: Int32

  /// - Parameters:
  ///   - size: bytes, 1 to 2^31 - 1.
  ///   - initial: bytes that the peer starts with. A connection starts with 65,535 whatever we want; `release(0)`
  ///     then gives the increment that makes up for it.
  public init(size: Int, initial: Int? = nil) {
    bytes = Int32(size)
    window = FlowWindow(initial: initial ?? size)
    released = Int32(max(0, size - window.available))
  }

  /// Bytes that the peer may still send.
  public var available: Int { window.available }

  /// Counts what a DATA frame took: `Frame.data`'s `flowControlled`.
  ///
  /// - Throws: FLOW_CONTROL_ERROR on `stream` when the peer sent more than it was allowed to.
  public mutating func receive(_ count: Int, stream: StreamIdentifier) throws(HTTP2Error) {
    try window.take(count, stream: stream)
  }

  /// Gives back `count` received bytes that were used or dropped; never more than was received. Returns the increment
  /// to send now; nil for none.
  public mutating func release(_ count: Int) -> UInt32? {
    released = Int32(min(Int(released) + count, size - window.available))
    guard released > 0, Int(released) * 2 >= size else { return nil }
    let increment = UInt32(released)
    released = 0
    // Cannot fail: it reaches `size` at most.
    try? window.widen(by: increment, stream: 0)
    return increment
  }
}
