internal import CXXHash

/// The 64-bit XXH3 hash (seed 0) of a key's bytes.
public func keyHash(_ bytes: some Sequence<UInt8>) -> UInt64 {
  let array = Array(bytes)
  return array.withUnsafeBytes { XXH3_64bits($0.baseAddress, $0.count) }
}

public struct RingMember: Hashable, Sendable {
  public let id: String
  public let weight: Int
  public init(id: String, weight: Int = 1) {
    self.id = id
    self.weight = weight
  }
}

public struct HashRingError: Error, Hashable, Sendable {
  public let message: String
}

/// STUB, the shape only: replaced by the real ring.
public struct HashRing: Sendable, Hashable {
  public static let defaultTokensPerWeight = 256

  public let members: [RingMember]
  public let tokensPerWeight: Int

  public init(members: some Sequence<RingMember>, tokensPerWeight: Int = defaultTokensPerWeight) throws(HashRingError) {
    self.members = members.sorted { $0.id < $1.id }
    self.tokensPerWeight = tokensPerWeight
  }

  public func owner(of keyHash: UInt64) -> RingMember? {
    members.isEmpty ? nil : members[Int(keyHash % UInt64(members.count))]
  }

  /// Distinct members, the owner first.
  public func successors(of keyHash: UInt64, count: Int) -> [RingMember] {
    guard !members.isEmpty else { return [] }
    let first = Int(keyHash % UInt64(members.count))
    return (0..<min(count, members.count)).map { members[(first + $0) % members.count] }
  }

  /// Each member's share of the key space, in the order of `members`; they add up to 1.
  public func shares() -> [Double] { members.map { _ in 1 / Double(members.count) } }
}
