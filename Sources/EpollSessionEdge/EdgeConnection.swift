internal import EdgeEngine
internal import SessionEdge

/// A client's connection, confined to its loop's thread.
final class EdgeConnection {
  // In an order without holes: 232 bytes, and a byte more would take 16 from the allocator.
  let token: ConnectionToken
  let socket: Int32
  /// Whether the poller tells when the socket takes bytes again.
  var awaitsRoom = false
  /// Whether the loop has it on its list of those with something to produce.
  var isDirty = false
  /// Set when the engine is done and what it said is written: until the next wake-up the client's bytes are read and dropped,
  /// because closing a socket with unread bytes would take the last words back.
  var lingers = false
  /// Nil where connections of one address are not counted.
  let address: PeerAddress?
  var engine: ServerConnection
  /// Since when the socket has taken nothing, in milliseconds modulo 2^32; only meant while there is something unsent.
  var stuckSince: UInt32 = 0
  /// What the socket did not take. Nothing is encoded while there is some.
  var unsent: [UInt8] = []
  /// The wheel's entry that counts.
  var armed = Milliseconds.max

  /// Milliseconds since the socket took something, while something waits.
  func stuckFor(_ now: Milliseconds) -> Milliseconds {
    unsent.isEmpty ? 0 : Milliseconds(UInt32(truncatingIfNeeded: now) &- stuckSince)
  }

  init(token: ConnectionToken, socket: Int32, address: PeerAddress?, limits: SharedLimits, now: Milliseconds) {
    self.token = token
    self.socket = socket
    self.address = address
    engine = ServerConnection(limits: limits, now: now)
  }
}
