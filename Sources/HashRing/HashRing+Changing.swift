extension HashRing {
  /// The ring of these members, made from another: as it is if nothing changed, and by what changed if that is
  /// little. Which other ring it is makes no difference to the result, only to the time; members that are in order already
  /// are sorted faster.
  ///
  /// - Throws: as `init(members:tokensPerWeight:)`.
  public init(
    members: some Sequence<RingMember>, tokensPerWeight: Int = defaultTokensPerWeight, shareCap: ShareCap? = nil,
    reusing previous: HashRing?
  ) throws(HashRingError) {
    let ordered = members.sorted(by: RingMember.inOrder)
    try Self.check(ordered, tokensPerWeight: tokensPerWeight)
    guard let previous, previous.tokensPerWeight == tokensPerWeight, !previous.members.isEmpty else {
      self.init(checked: ordered, tokensPerWeight: tokensPerWeight, shareCap: shareCap)
      return
    }
    let change = MembershipChange(from: previous.members, to: ordered)
    if change.isEmpty, previous.shareCap == shareCap {
      self = previous
      return
    }
    self.init(
      checked: ordered, tokensPerWeight: tokensPerWeight, shareCap: shareCap,
      table: change.isEmpty ? previous.table : change.applied(to: previous.table, tokensPerWeight: tokensPerWeight))
  }
}

/// What tells two lists of members apart.
private struct MembershipChange {
  /// By their index before, and by their index after.
  private var removed: [(index: Int, member: RingMember)] = []
  private var added: [(index: Int, member: RingMember)] = []
  /// With other weights.
  private var kept: [(before: Int, after: Int, old: RingMember, new: RingMember)] = []

  var isEmpty: Bool { removed.isEmpty && added.isEmpty && kept.isEmpty }

  /// Both in order.
  init(from before: [RingMember], to after: [RingMember]) {
    var (old, new) = (0, 0)
    while old < before.count || new < after.count {
      if new == after.count || (old < before.count && RingMember.inOrder(before[old], after[new])) {
        removed.append((old, before[old]))
        old += 1
      } else if old == before.count || RingMember.inOrder(after[new], before[old]) {
        added.append((new, after[new]))
        new += 1
      } else {
        if before[old].weight != after[new].weight { kept.append((old, new, before[old], after[new])) }
        old += 1
        new += 1
      }
    }
  }

  func applied(to table: BucketTable, tokensPerWeight: Int) -> BucketTable {
    var (going, coming): ([Token], [Token]) = ([], [])
    for (index, member) in removed {
      going += Self.tokens(member, 0..<member.weight, index, tokensPerWeight)
    }
    for (index, member) in added {
      coming += Self.tokens(member, 0..<member.weight, index, tokensPerWeight)
    }
    for (before, after, old, new) in kept {
      if new.weight < old.weight { going += Self.tokens(old, new.weight..<old.weight, before, tokensPerWeight) }
      if new.weight > old.weight { coming += Self.tokens(new, old.weight..<new.weight, after, tokensPerWeight) }
    }
    going.sort(by: Token.inOrder)
    coming.sort(by: Token.inOrder)
    return table.changed(
      removed: going, added: coming, Renumbering(removed: removed.map(\.index), added: added.map(\.index)))
  }

  private static func tokens(_ member: RingMember, _ weights: Range<Int>, _ index: Int, _ tokensPerWeight: Int)
    -> [Token]
  {
    member.tokenPositions(weights.lowerBound * tokensPerWeight..<weights.upperBound * tokensPerWeight)
      .map { Token(position: $0, member: UInt32(index)) }
  }
}
