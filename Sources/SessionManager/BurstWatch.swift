/// Finds out when a burst is over: a storm of clients, or a message to all.
///
/// What each session costs for a moment, while it is registered or its messages wait, lies between what it costs for good, and
/// the allocator keeps such pages. 12,000 clients at once left 4,240 bytes for each, and 1,028 with the free pages given back
/// (Docs/edge.md).
struct BurstWatch: Sendable {
  /// So many registrations, or bytes that wait, make a burst.
  private static let registrations = 256
  private static let queuedBytes = 4 << 20
  /// For how long there have to be fewer.
  private static let calm = Duration.seconds(1)

  private var isAfterBurst = false
  private var lastBusy = Duration.zero

  /// To be called several times a second.
  /// - Returns: true once after each burst.
  mutating func isOver(registrations: Int, queuedBytes: Int, now: Duration) -> Bool {
    if registrations >= Self.registrations || queuedBytes >= Self.queuedBytes {
      isAfterBurst = true
      lastBusy = now
    }
    guard isAfterBurst, now - lastBusy >= Self.calm else { return false }
    isAfterBurst = false
    return true
  }
}
