/// Gives calls their ids: the low half a place, the smallest numbers that are free, the high half a count.
struct CallIdentifiers: Sendable {
  private var places: UInt32 = 0
  private var free: [UInt32] = []
  private var last: UInt32 = 0

  mutating func take() -> UInt64 {
    last &+= 1
    if let place = free.popLast() { return UInt64(last) << 32 | UInt64(place) }
    defer { places += 1 }
    return UInt64(last) << 32 | UInt64(places)
  }

  /// - Parameter id: of a call that is closed, for the application too.
  mutating func giveBack(_ id: UInt64) { free.append(UInt32(truncatingIfNeeded: id)) }
}
