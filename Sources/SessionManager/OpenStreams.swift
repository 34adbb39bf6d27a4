/// The calls behind the session table's streams, by place.
internal import SessionEdge
internal import Sessions

struct OpenStreams: Sendable {
  private var places: [Stream?] = []

  private struct Stream: Sendable {
    let call: any EdgeCall
    /// Of whom, once the placement counts it.
    var userHash: UInt64 = 0
    var isCounted = false
  }

  mutating func insert(_ call: any EdgeCall, _ stream: StreamID) {
    while places.count <= stream.place { places.append(nil) }
    places[stream.place] = Stream(call: call)
  }

  func call(of stream: StreamID) -> (any EdgeCall)? { self[stream]?.call }

  /// The placement counts it from now on.
  mutating func count(_ stream: StreamID, userHash: UInt64) {
    guard self[stream] != nil else { return }
    places[stream.place]?.userHash = userHash
    places[stream.place]?.isCounted = true
  }

  /// - Returns: with the user's hash if the placement counts it.
  mutating func remove(_ stream: StreamID) -> (call: any EdgeCall, userHash: UInt64?)? {
    guard let open = self[stream] else { return nil }
    places[stream.place] = nil
    return (open.call, open.isCounted ? open.userHash : nil)
  }

  /// Nil when the placement does not count it.
  func userHash(of stream: StreamID) -> UInt64? { self[stream].flatMap { $0.isCounted ? $0.userHash : nil } }

  /// How many places there are.
  var placeCount: Int { places.count }

  /// Those that the placement counts, with their users' hashes.
  func counted(in range: Range<Int>) -> [(stream: StreamID, userHash: UInt64)] {
    places[range.clamped(to: places.indices)].compactMap { open in
      guard let open, open.isCounted else { return nil }
      return (StreamID(rawValue: open.call.id), open.userHash)
    }
  }

  /// Nil also when another stream has its place.
  private subscript(_ stream: StreamID) -> Stream? {
    guard stream.place < places.count, let open = places[stream.place], open.call.id == stream.rawValue else {
      return nil
    }
    return open
  }
}
