internal import HashRing

/// What `pushring ring diff` shows: what changed between two saved looks at a ring.
public struct RingDifference: Sendable, Hashable, Encodable {
  public struct Member: Sendable, Hashable, Encodable {
    public let id: String
    public let incarnation: UInt64
    /// In words: "joined", "gone", "state active → grace", "weight 1 → 2", "order -> drained".
    public let changes: [String]
  }

  public struct Share: Sendable, Hashable, Encodable {
    public let id: String
    /// Part of the key space, 0 to 1.
    public let before: Double
    public let after: Double
    public let sessionsBefore: Int
    public let sessionsAfter: Int
  }

  public let cluster: String
  public let versionBefore: UInt64
  public let versionAfter: UInt64
  public let members: [Member]
  /// Of pods whose part or sessions are other ones.
  public let shares: [Share]
  public let movement: [RingForecast.Movement]
  /// Of all keys, 0 to 1.
  public let movedShare: Double

  public var isEmpty: Bool { members.isEmpty && movement.isEmpty && versionBefore == versionAfter }

  /// - Throws: when no ring can be made of one of them.
  public init(from before: ClusterReport, to after: ClusterReport) throws(RingChangeError) {
    cluster = after.cluster
    versionBefore = before.version
    versionAfter = after.version
    members = Self.members(before, after)
    shares = Self.shares(before, after)
    movement = try before.ring().movement(to: after.ring())
      .map { RingForecast.Movement(from: $0.from ?? "", to: $0.to ?? "", share: $0.share) }
    movedShare = movement.reduce(0) { $0 + $1.share }
  }

  private static func members(_ before: ClusterReport, _ after: ClusterReport) -> [Member] {
    let old = Dictionary(before.members.map { ($0.incarnation, $0) }) { $1 }
    let new = Dictionary(after.members.map { ($0.incarnation, $0) }) { $1 }
    return Set(old.keys).union(new.keys)
      .compactMap { incarnation -> Member? in
        let (was, now) = (old[incarnation], new[incarnation])
        guard let either = now ?? was else { return nil }
        let changes = Self.changes(was, now)
        return changes.isEmpty ? nil : Member(id: either.id, incarnation: incarnation, changes: changes)
      }
      .sorted { ($0.id, $0.incarnation) < ($1.id, $1.incarnation) }
  }

  private static func changes(_ was: MemberReport?, _ now: MemberReport?) -> [String] {
    guard let was else { return ["joined"] }
    guard let now else { return ["gone"] }
    func change(_ name: String, _ part: (MemberReport) -> String) -> String? {
      part(was) == part(now) ? nil : "\(name) \(part(was)) → \(part(now))"
    }
    return [
      change("state") { $0.state }, change("weight") { String($0.weight) },
      change("order") { $0.order?.summary ?? "none" }, change("limit") { $0.limit == 0 ? "none" : String($0.limit) },
      change("endpoint") { $0.endpoint },
    ].compactMap { $0 }
  }

  private static func shares(_ before: ClusterReport, _ after: ClusterReport) -> [Share] {
    func sums(_ report: ClusterReport) -> [String: (share: Double, sessions: Int)] {
      Dictionary(report.members.map { ($0.id, ($0.share, $0.sessions)) }) { ($0.0 + $1.0, $0.1 + $1.1) }
    }
    let (old, new) = (sums(before), sums(after))
    return Set(old.keys).union(new.keys).sorted().compactMap { id in
      let (was, now) = (old[id] ?? (0, 0), new[id] ?? (0, 0))
      guard was != now else { return nil }
      return Share(
        id: id, before: was.share, after: now.share, sessionsBefore: was.sessions, sessionsAfter: now.sessions)
    }
  }
}

extension ClusterReport {
  fileprivate func ring() throws(RingChangeError) -> HashRing {
    // Of two active processes with one pod id the later has its part.
    let weights = Dictionary(
      members.filter { $0.state == "active" }.map { ($0.id, (incarnation: $0.incarnation, weight: $0.weight)) }
    ) { $0.incarnation > $1.incarnation ? $0 : $1 }
    do throws(HashRingError) {
      return try HashRing(
        members: weights.map { RingMember(id: $0, weight: $1.weight) }, tokensPerWeight: tokensPerWeight,
        shareCap: shareCapPercent == 0 ? nil : ShareCap(percent: shareCapPercent))
    } catch {
      throw RingChangeError(message: "view \(version) makes no ring: \(error.message)")
    }
  }
}

extension RingDifference {
  /// As text for people.
  public func text(_ palette: Palette) -> String {
    var text = "cluster \(cluster)  view \(versionBefore) → \(versionAfter)\n"
    if isEmpty { return text + "no change of members, weights or keys\n" }
    if !members.isEmpty {
      var table = TextTable([("MEMBER", .left), ("INCARNATION", .right), ("CHANGE", .left)])
      for member in members {
        table.add([member.id, String(member.incarnation), member.changes.joined(separator: ", ")])
      }
      text += "\n" + table.text(palette)
    }
    if !shares.isEmpty {
      var table = TextTable([
        ("POD", .left), ("SHARE", .right), ("NOW", .right), ("SESSIONS", .right), ("NOW", .right),
      ])
      for share in shares {
        table.add([
          share.id, percent(share.before), percent(share.after), String(share.sessionsBefore),
          String(share.sessionsAfter),
        ])
      }
      text += "\n" + table.text(palette)
    }
    if !movement.isEmpty {
      var table = TextTable([("KEYS FROM", .left), ("TO", .left), ("OF ALL", .right)])
      for move in movement {
        table.add([move.from.isEmpty ? "-" : move.from, move.to.isEmpty ? "-" : move.to, percent(move.share)])
      }
      text += "\n" + table.text(palette)
    }
    return text + "\nkeys that moved: \(percent(movedShare))\n"
  }
}
