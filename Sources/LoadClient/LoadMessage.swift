/// The payload of a measured message: when it was due, which push it belongs to, and padding to its size.
public struct LoadMessage: Hashable, Sendable {
  /// In the clock of `monotonicNanoseconds`.
  public let due: UInt64
  /// Counted from 0 in a run.
  public let push: UInt32
  /// The same message goes to many users: one session's receipt says nothing of another's.
  public let isShared: Bool

  /// Marks, due time, push.
  public static let minimumBytes = 16
  private static let ownMark: [UInt8] = Array("PRLD".utf8)
  private static let sharedMark: [UInt8] = Array("PRLM".utf8)

  public init(due: UInt64, push: UInt32, isShared: Bool = false) {
    self.due = due
    self.push = push
    self.isShared = isShared
  }

  /// - Parameter count: bytes, at least `minimumBytes`.
  public func payload(count: Int) -> [UInt8] {
    var bytes = isShared ? Self.sharedMark : Self.ownMark
    bytes.reserveCapacity(max(count, Self.minimumBytes))
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: due >> shift)) }
    for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: push >> shift)) }
    bytes += Array(repeating: 0x2e, count: max(0, count - bytes.count))
    return bytes
  }

  /// Nil when it is none.
  public init?(payload: ArraySlice<UInt8>) {
    guard payload.count >= Self.minimumBytes else { return nil }
    let isShared = payload.starts(with: Self.sharedMark)
    guard isShared || payload.starts(with: Self.ownMark) else { return nil }
    let start = payload.startIndex + Self.ownMark.count
    var due: UInt64 = 0
    for index in 0..<8 { due |= UInt64(payload[start + index]) << (8 * index) }
    var push: UInt32 = 0
    for index in 0..<4 { push |= UInt32(payload[start + 8 + index]) << (8 * index) }
    self.init(due: due, push: push, isShared: isShared)
  }
}
