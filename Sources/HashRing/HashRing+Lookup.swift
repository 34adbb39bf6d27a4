extension HashRing {
  /// The member that a key with this hash belongs to; nil on an empty ring.
  public func owner(of keyHash: UInt64) -> RingMember? {
    members.isEmpty ? nil : members[Int(holders[tokenIndex(of: keyHash)])]
  }

  /// Up to `count` distinct members in the order in which they come after the key: the owner first, then whoever would
  /// own the key if those before it were removed.
  public func successors(of keyHash: UInt64, count: Int) -> [RingMember] {
    let wanted = min(count, members.count)
    guard wanted > 0 else { return [] }
    var seen = [Bool](repeating: false, count: members.count)
    var found: [RingMember] = []
    var index = tokenIndex(of: keyHash)
    // Ends: every member has a token, and a full circle meets them all.
    while found.count < wanted {
      let holder = Int(holders[index])
      if !seen[holder] {
        seen[holder] = true
        found.append(members[holder])
      }
      index = index + 1 == holders.count ? 0 : index + 1
    }
    return found
  }

  /// The first token at or after `keyHash`, the first of several at one position; 0 past the last one. The ring has
  /// at least one token.
  func tokenIndex(of keyHash: UInt64) -> Int {
    var low = 0
    var high = positions.count
    while low < high {
      let middle = (low + high) / 2
      if positions[middle] < keyHash { low = middle + 1 } else { high = middle }
    }
    return low == positions.count ? 0 : low
  }
}
