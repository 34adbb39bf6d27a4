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
  /// The position of the member's `index`-th token: XXH3 of the id's UTF-8 bytes followed by the index as eight
  /// bytes, the lowest first. It depends on nothing else, which is why a member's tokens stay where they are
  /// whoever comes or goes, and why a change of weight only adds or removes the last ones.
  ///
  /// The index has a fixed length at the end, so no two pairs of id and index give the same bytes.
  func tokenPosition(_ index: Int) -> UInt64 {
    var bytes = Array(id.utf8)
    withUnsafeBytes(of: UInt64(index).littleEndian) { bytes.append(contentsOf: $0) }
    return keyHash(bytes)
  }
}
