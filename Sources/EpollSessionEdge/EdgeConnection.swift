internal import EdgeEngine
internal import SessionEdge

/// A client's connection, confined to its loop's thread.
final class EdgeConnection {
  let token: ConnectionToken
  let socket: Int32
  let address: PeerAddress
  var engine: ServerConnection
  /// What the socket did not take. Nothing is encoded while there is some.
  var unsent: [UInt8] = []
  /// The wheel's entry that counts.
  var armed = Milliseconds.max
  /// Whether the poller tells when the socket takes bytes again.
  var awaitsRoom = false
  /// Whether the loop has it on its list of those with something to produce.
  var isDirty = false
  /// Set when the engine is done and what it said is written: until then the client's bytes are read and dropped, because
  /// closing a socket with unread bytes would take the last words back.
  var lingersUntil: Milliseconds?

  init(token: ConnectionToken, socket: Int32, address: PeerAddress, limits: SharedLimits, now: Milliseconds) {
    self.token = token
    self.socket = socket
    self.address = address
    engine = ServerConnection(limits: limits, now: now)
  }
}
