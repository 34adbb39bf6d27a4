internal import EdgeEngine
/// A loop's connections by index, with the places of closed ones used again.
struct ConnectionSlab {
  private var places: [EdgeConnection?] = []
  private var generations: [UInt32] = []
  private var free: [UInt32] = []

  var count: Int { places.count - free.count }

  var all: [EdgeConnection] { places.compactMap { $0 } }

  subscript(_ token: ConnectionToken) -> EdgeConnection? {
    guard token.index < places.count, let connection = places[Int(token.index)], connection.token == token else {
      return nil
    }
    return connection
  }

  /// The connection of a call that is not closed.
  subscript(_ call: EdgeStream) -> EdgeConnection? {
    guard call.connection < places.count, let connection = places[Int(call.connection)],
      connection.engine.call(of: call.stream) === call
    else { return nil }
    return connection
  }

  /// - Parameter make: the connection, for the token that it gets.
  mutating func insert(_ make: (ConnectionToken) -> EdgeConnection) -> EdgeConnection {
    if free.isEmpty {
      free.append(UInt32(places.count))
      places.append(nil)
      generations.append(0)
    }
    let index = Int(free.removeLast())
    generations[index] &+= 1
    let connection = make(ConnectionToken(index: index, generation: generations[index]))
    places[index] = connection
    return connection
  }

  mutating func remove(_ connection: EdgeConnection) {
    places[Int(connection.token.index)] = nil
    free.append(connection.token.index)
  }
}
