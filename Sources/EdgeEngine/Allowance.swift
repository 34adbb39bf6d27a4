/// A token bucket: what a peer may do that costs us and brings nothing.
struct Allowance: Sendable {
  /// In thousandths of a frame.
  private var left: Int32
  private var refilled: Milliseconds

  private static let scale: Int32 = 1_000
  /// Seconds' worth that may be used at once.
  private static let burst: Int32 = 10

  init(perSecond rate: Int, now: Milliseconds) {
    left = Self.capacity(rate)
    refilled = now
  }

  /// - Returns: false when there is not so much left.
  mutating func take(_ count: Int, perSecond rate: Int, now: Milliseconds) -> Bool {
    let wanted = Int64(count) * Int64(Self.scale)
    if wanted > left { refill(rate, now) }
    guard wanted <= left else { return false }
    left -= Int32(wanted)
    return true
  }

  /// Adds what it may bring back that the peer was sent these: window updates, and the PINGs by which clients measure the
  /// way. By whole messages and bytes, not by frames, for it is the peer who can have messages cut into frames of a byte.
  mutating func earn(_ sent: Outbox.Moved, perSecond rate: Int) {
    let earned = Int64(2 * sent.messages + sent.bytes / 2_048) * Int64(Self.scale)
    left = Int32(min(Int64(Self.capacity(rate)), Int64(left) + earned))
  }

  private mutating func refill(_ rate: Int, _ now: Milliseconds) {
    let gained = min(Int64(Self.capacity(rate)), (now - refilled) * Int64(rate))
    left = Int32(min(Int64(Self.capacity(rate)), Int64(left) + max(0, gained)))
    refilled = now
  }

  private static func capacity(_ rate: Int) -> Int32 { Int32(clamping: rate * Int(burst)) * scale }
}
