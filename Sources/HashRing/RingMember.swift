/// One member of the ring, by name.
public struct RingMember: Hashable, Sendable {
  /// 1 to 128 bytes of UTF-8.
  public let id: String
  /// How large a part of the keys it takes, relative to the others: 1 to 1,000.
  public let weight: Int

  public init(id: String, weight: Int = 1) {
    self.id = id
    self.weight = weight
  }
}

/// Why a ring could not be built; the message names the member and what is allowed.
public struct HashRingError: Error, Hashable, Sendable, CustomStringConvertible {
  public let message: String

  public var description: String { message }
}

extension RingMember {
  func check() throws(HashRingError) {
    guard (1...128).contains(id.utf8.count) else {
      throw HashRingError(message: "the member id \"\(id)\" has \(id.utf8.count) bytes; give 1 to 128")
    }
    guard (1...1_000).contains(weight) else {
      throw HashRingError(message: "the member \"\(id)\" has weight \(weight); give 1 to 1,000")
    }
  }

  /// The order of members with colliding tokens: by the bytes of their ids, because the order of Swift strings follows
  /// Unicode's tables and may differ from one version to the next.
  static func inOrder(_ left: RingMember, _ right: RingMember) -> Bool {
    // As a thousand are sorted whenever a view changes: without the strings' iterators, where it can be.
    let precedes = left.id.utf8.withContiguousStorageIfAvailable { left in
      right.id.utf8.withContiguousStorageIfAvailable { Self.precedes(left, $0) }
    }
    return (precedes ?? nil) ?? left.id.utf8.lexicographicallyPrecedes(right.id.utf8)
  }

  private static func precedes(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in 0..<min(left.count, right.count) where left[index] != right[index] {
      return left[index] < right[index]
    }
    return left.count < right.count
  }
}
