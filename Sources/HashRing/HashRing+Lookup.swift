extension HashRing {
  /// The member that a key with this hash belongs to; nil on an empty ring.
  public func owner(of keyHash: UInt64) -> RingMember? {
    ownerIndex(of: keyHash).map { members[$0] }
  }

  /// The same as an index into `members`, for who keeps something else of each member in that order.
  public func ownerIndex(of keyHash: UInt64) -> Int? {
    let owner = ownership.owner(of: keyHash)
    return owner < 0 ? nil : owner
  }

  /// The same of a key that nobody has hashed yet, in one go.
  public func ownerIndex(ofKey key: String.UTF8View) -> Int? {
    let owner = ownership.owner(of: XXH3.hash(key))
    return owner < 0 ? nil : owner
  }

  /// Up to `count` distinct members: the owner first, then in the order in which they come after the key.
  ///
  /// Without a share cap these are the owners if those before them were removed. With one, each removal frees and takes
  /// room, and a member that is full by then is passed over: most keys go to the next successor, the others to a later one.
  public func successors(of keyHash: UInt64, count: Int) -> [RingMember] {
    successorIndices(of: keyHash, count: count).map { members[$0] }
  }

  /// The same as indices into `members`.
  public func successorIndices(of keyHash: UInt64, count: Int) -> [Int] {
    let wanted = min(count, members.count)
    guard wanted > 0 else { return [] }
    var seen = [Bool](repeating: false, count: members.count)
    let owner = ownership.owner(of: keyHash)
    var found = [owner]
    seen[owner] = true
    var tokens = table.tokens(from: keyHash)
    // Ends: every member has a token, and a full circle meets them all.
    while found.count < wanted, let token = tokens.next() {
      if !seen[token.member] {
        seen[token.member] = true
        found.append(token.member)
      }
    }
    return found
  }
}
