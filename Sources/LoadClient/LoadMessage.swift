/// The payload of a measured message: when it was due, which push it belongs to, and padding to its size.
public struct LoadMessage: Hashable, Sendable {
  /// In the clock of `monotonicNanoseconds`.
  public let due: UInt64
  /// Counted from 0 in a run.
  public let push: UInt32

  /// Marks, due time, push.
  public static let minimumBytes = 16
  private static let mark: [UInt8] = Array("PRLD".utf8)

  public init(due: UInt64, push: UInt32) {
    self.due = due
    self.push = push
  }

  /// - Parameter count: bytes, at least `minimumBytes`.
  public func payload(count: Int) -> [UInt8] {
    var bytes = Self.mark
    bytes.reserveCapacity(max(count, Self.minimumBytes))
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: due >> shift)) }
    for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: push >> shift)) }
    bytes += Array(repeating: 0x2e, count: max(0, count - bytes.count))
    return bytes
  }

  /// Nil when it is none.
  public init?(payload: ArraySlice<UInt8>) {
    guard payload.count >= Self.minimumBytes, payload.starts(with: Self.mark) else { return nil }
    let start = payload.startIndex + Self.mark.count
    var due: UInt64 = 0
    for index in 0..<8 { due |= UInt64(payload[start + index]) << (8 * index) }
    var push: UInt32 = 0
    for index in 0..<4 { push |= UInt32(payload[start + 8 + index]) << (8 * index) }
    self.init(due: due, push: push)
  }
}
