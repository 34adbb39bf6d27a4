internal import HashRing

/// What only PushRing's ring is measured for: a change of its members, and capped shares.
enum RingItself {
  static func ring(_ members: some Sequence<RingMember>, cap: ShareCap? = nil, reusing ring: HashRing? = nil) throws
    -> HashRing
  {
    try HashRing(members: members, shareCap: cap, reusing: ring)
  }

  /// A member comes, another goes, in turn. Milliseconds of the quicker quarter, and of half of them.
  static func changes(members count: Int, cap: ShareCap?, times: Int) throws -> Row {
    let clock = ContinuousClock()
    var ring = try ring(memberNames(count).map { RingMember(id: $0) }, cap: cap)
    var milliseconds: [Double] = []
    for turn in 0..<times {
      var members = ring.members
      if turn.isMultiple(of: 2) {
        members.append(RingMember(id: "newcomer-\(turn)"))
      } else {
        members.remove(at: turn * 7_919 % members.count)
      }
      let old = ring
      milliseconds.append(
        try clock.measure { ring = try Self.ring(members, cap: cap, reusing: old) } / .nanoseconds(1) / 1e6)
    }
    milliseconds.sort()
    let name = cap == nil ? "a change" : "a change, capped"
    return Row(
      name: name, members: count,
      values: [
        ("changeP25", milliseconds[times / 4]), ("changeMedian", milliseconds[times / 2]),
        ("changeWorst", milliseconds[times - 1]),
      ])
  }

  /// The largest share relative to its fair part, over weights too, and the movement of a join beyond its own of the ideal.
  static func cap(members count: Int, percent: Int?, isWeighted: Bool, runs: Int) throws -> Row {
    var (largest, extraJoin, extraLeave) = (0.0, 0.0, 0.0)
    for run in 0..<runs {
      let members = (0..<count).map {
        RingMember(id: "run-\(run)-pod-\($0)", weight: isWeighted ? 1 + $0 % 4 : 1)
      }
      let cap = try percent.map { try ShareCap(percent: $0) }
      let ring = try ring(members, cap: cap)
      let total = Double(members.reduce(0) { $0 + $1.weight })
      for (member, share) in zip(ring.members, ring.shares()) {
        largest = max(largest, share * total / Double(member.weight))
      }
      let newcomer = RingMember(id: "newcomer")
      let (joined, left) = (
        try Self.ring(members + [newcomer], cap: cap, reusing: ring),
        try Self.ring(members.dropLast(), cap: cap, reusing: ring)
      )
      // What must move: the newcomer's own, and the leaver's.
      extraJoin += moved(ring, joined) / share(of: newcomer.id, in: joined) - 1
      extraLeave += moved(ring, left) / share(of: members[count - 1].id, in: ring) - 1
    }
    let name = "cap \(percent.map { "\($0) %" } ?? "none")\(isWeighted ? ", weights 1 to 4" : "")"
    return Row(
      name: name, members: count,
      values: [
        ("largestShare", largest), ("extraMovementOfJoin", extraJoin / Double(runs)),
        ("extraMovementOfLeave", extraLeave / Double(runs)),
      ])
  }

  private static func moved(_ before: HashRing, _ after: HashRing) -> Double {
    before.movement(to: after).reduce(0) { $0 + $1.share }
  }

  private static func share(of id: String, in ring: HashRing) -> Double {
    zip(ring.members, ring.shares()).first { $0.0.id == id }?.1 ?? 0
  }
}
