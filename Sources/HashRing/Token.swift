/// One virtual node: a position on the ring and the member that it belongs to.
struct Token: Hashable, Sendable {
  let position: UInt64
  /// Index into the ring's members, which are in order of their ids.
  let member: UInt32

  /// Ties are broken by the members' order, so that every machine sorts alike. Two tokens of one member may tie
  /// too; they are then the same token twice, and their order makes no difference.
  static func inOrder(_ left: Token, _ right: Token) -> Bool {
    left.position != right.position ? left.position < right.position : left.member < right.member
  }
}

extension RingMember {
  /// The positions of the member's tokens of those numbers, from 0. A token's is XXH3 of the id's UTF-8 bytes followed by
  /// its number as eight bytes, the lowest first. It depends on nothing else, which is why a member's tokens stay where
  /// they are whoever comes or goes, and why a change of weight only adds or removes the last ones.
  ///
  /// The number has a fixed length at the end, so no two pairs of id and number give the same bytes.
  func tokenPositions(_ numbers: Range<Int>) -> [UInt64] {
    var bytes = Array(id.utf8)
    let end = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: 8))
    return bytes.withUnsafeMutableBytes { bytes in
      numbers.map { number in
        bytes.storeBytes(of: UInt64(number).littleEndian, toByteOffset: end, as: UInt64.self)
        return XXH3.hash(UnsafeRawBufferPointer(bytes))
      }
    }
  }
}
