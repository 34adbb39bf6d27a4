internal import HTTP2Wire

/// One session of the load: a TCP connection with one stream. Kept small, as there are tens of thousands.
struct LoadSession {
  enum Phase: UInt8 {
    /// Waits for its turn to connect.
    case planned
    case connecting
    /// Hello is sent.
    case opening
    case live
    /// Welcomed elsewhere; what is still under way on this stream is read to its end.
    case releasing
    /// Lost, or refused; it will connect again.
    case waiting
    case closed
  }

  /// While a session moves it has two entries here.
  enum Role: UInt8 {
    case sole
    /// The pod asked it to go, and `partner` is on its way.
    case leaving
    /// The new stream of `partner`.
    case arriving
  }

  var socket: Int32 = -1
  var role = Role.sole
  /// The other entry of a session that moves, until the old stream is closed; -1: none.
  var partner: Int32 = -1
  /// Whether the poller is asked to tell when there is room for output.
  var awaitsRoom = false
  var phase = Phase.planned
  /// Of its user's sessions.
  var number: UInt8
  /// Connects in vain since the last Welcome.
  var failures: UInt8 = 0
  var endpoint: Int32
  var user: UInt32
  var epoch: UInt64 = 0
  /// When it began to connect.
  var began: UInt64 = 0
  /// Flow control: received, and not given back yet.
  var consumed: Int32 = 0
  /// Counts sockets, so that what was ready of an earlier one is told apart.
  var generation: UInt32 = 0
  var frames = FrameReader(role: .client)
  var messages = GRPCMessageReader(maximumMessageSize: 1 << 20)
  /// What the socket did not take.
  var output: [UInt8] = []

  init(user: Int, number: Int, endpoint: Int) {
    self.user = UInt32(user)
    self.number = UInt8(truncatingIfNeeded: number)
    self.endpoint = Int32(endpoint)
  }
}
