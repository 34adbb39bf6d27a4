/// Two token buckets: the frames and messages that a client may send, and the calls that it may open. Ten seconds' worth of
/// each may be used at once, or what a proxy needs that brings all its clients back in one moment.
struct Allowance: Sendable {
  // In thousandths, as many as a millisecond brings at one a second.
  private var frames: Int32
  private var calls: Int32
  /// When both were filled up last.
  private var refilled: Milliseconds

  private static let scale = 1_000
  /// Seconds' worth that may be used at once.
  private static let burst = 10
  /// So many bytes, either way, count as a frame more: what large frames hold is work too.
  static let bytesPerFrame = 2_048
  /// What a message that is sent earns: a client may answer each with an acknowledgement of its own, update two windows,
  /// and measure the way by a PING.
  private static let earnedByMessage = 4
  /// How much may be earned before it is used: a burst is acknowledged when all of it is there. It took the server longer to send.
  private static let mostEarned = Int32(64 * 1_024 * scale)

  init(_ limits: EngineLimits, now: Milliseconds) {
    frames = Self.frameCapacity(limits)
    calls = Self.callCapacity(limits)
    refilled = now
  }

  /// - Returns: false when there are not so many left.
  mutating func takeFrames(_ count: Int, _ limits: EngineLimits, openCalls: Int, now: Milliseconds) -> Bool {
    Self.take(count, from: &frames) || (refill(limits, openCalls, now) && Self.take(count, from: &frames))
  }

  /// - Returns: false when there is none left.
  mutating func takeCall(_ limits: EngineLimits, openCalls: Int, now: Milliseconds) -> Bool {
    Self.take(1, from: &calls) || (refill(limits, openCalls, now) && Self.take(1, from: &calls))
  }

  /// Adds the frames that a client may send because it was sent these. By whole messages and bytes, not by frames, for it
  /// is the client who can have messages cut into frames of a byte.
  mutating func earn(_ sent: Outbox.Moved) {
    let earned = (Self.earnedByMessage * sent.earningMessages + sent.earningBytes / Self.bytesPerFrame) * Self.scale
    frames = Self.sum(frames, earned, atMost: Self.mostEarned)
  }

  private static func take(_ count: Int, from left: inout Int32) -> Bool {
    guard count * scale <= Int(left) else { return false }
    left -= Int32(count * scale)
    return true
  }

  /// - Returns: true.
  private mutating func refill(_ limits: EngineLimits, _ openCalls: Int, _ now: Milliseconds) -> Bool {
    // More than the burst fills the buckets as well, and cannot overflow.
    let passed = Int(min(max(0, now - refilled), Milliseconds(Self.burst * Self.scale)))
    // Each call that a proxy brings may be kept alive by the client behind it.
    let rate = limits.framesPerSecond + openCalls
    frames = Self.sum(frames, passed * rate, atMost: Self.frameCapacity(limits))
    calls = Self.sum(calls, passed * limits.callsPerSecond, atMost: Self.callCapacity(limits))
    refilled = now
    return true
  }

  private static func sum(_ left: Int32, _ gained: Int, atMost capacity: Int32) -> Int32 {
    max(left, Int32(min(Int(capacity), Int(left) + gained)))
  }

  private static func frameCapacity(_ limits: EngineLimits) -> Int32 {
    // For each call HEADERS, a message and two window updates, and the two of another call that asked where to go; and for what the
    // largest message takes, at once.
    let calls = limits.concurrentCalls * 6
    let message = 2 * limits.receivedMessageBytes / bytesPerFrame
    return Int32(clamping: max(limits.framesPerSecond * burst, calls, message) * scale)
  }

  private static func callCapacity(_ limits: EngineLimits) -> Int32 {
    // A client may ask where to go before it goes there.
    Int32(clamping: max(limits.callsPerSecond * burst, limits.concurrentCalls * 2) * scale)
  }
}
