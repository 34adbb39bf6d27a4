/// What is known here of the Redis server's clock: the latest that it may show by now.
///
/// A server that answered when it showed `r`, to a call that was sent at the own `s`, is ahead by `r - s` at most, since it
/// answered after `s`. The smallest such figure is the nearest to the truth. When the clocks have changed against each other
/// (one was set, or another server has taken over), calls are late by what is known, and that is begun anew.
struct ServerClock: Sendable {
  private var lead: Duration?

  /// - Parameters:
  ///   - time: the server's, since 1970.
  ///   - sent: when the call was sent, since any fixed moment.
  ///   - wasLate: though the answer came in time.
  mutating func answered(_ time: Duration, toCallSent sent: Duration, wasLate: Bool = false) {
    if wasLate { lead = nil }
    lead = min(lead ?? time - sent, time - sent)
  }

  /// What the server may show at the own `time`, at most; nil before the first answer.
  func latest(_ time: Duration) -> Duration? { lead.map { $0 + time } }
}
