public import Placement

/// What happens to a cluster that was quiet, all sessions with their owners.
public enum ScaleEvent: String, Codable, Sendable, CaseIterable {
  /// One pod more.
  case join
  /// One pod stops owning anything, and keeps its sessions until their clients go elsewhere.
  case drain
  /// One pod is gone without a word: its lease has ended.
  case crash
  /// Every third pod at once, as `crash`.
  case zoneLoss = "zone-loss"
  /// They come back empty, as new processes of the same pod ids; their sessions are with the others by then.
  case zoneReturn = "zone-return"
}

/// The two views that an event lies between.
public struct ViewChange: Sendable {
  public let event: ScaleEvent
  public let before: View
  public let after: View

  /// Of the window that a member has which was there before: it goes on from `before`, settled.
  public var window: Window { Window(settled: before, current: after) }

  /// Lines of its announcement.
  public var changedMembers: Int {
    let unchanged = Set(before.members).intersection(after.members).count
    let gone = before.members.filter { after.member($0.incarnation) == nil }.count
    return after.members.count - unchanged + gone
  }
}

/// A cluster of pods of one weight in three zones, as the registry would list it.
public struct ClusterShape: Sendable {
  public let pods: Int
  public let tokensPerWeight: Int
  private static let zones = 3
  /// As long as the registry's, which are microseconds.
  private static let firstIncarnation: UInt64 = 1_767_000_000_000_000

  public init(pods: Int, tokensPerWeight: Int = 256) {
    self.pods = pods
    self.tokensPerWeight = tokensPerWeight
  }

  /// All pods, active.
  public func quiet() throws -> View { try view(1, (1...pods).map { member($0) }) }

  public func change(_ event: ScaleEvent, from quiet: View) throws -> ViewChange {
    let numbers = Array(1...pods)
    let lost = numbers.filter { $0 % Self.zones == 0 }
    switch event {
    case .join:
      return ViewChange(
        event: event, before: quiet, after: try view(2, numbers.map { member($0) } + [member(pods + 1, since: 2)]))
    case .drain: return ViewChange(event: event, before: quiet, after: try view(2, with(.draining, [pods])))
    case .crash: return ViewChange(event: event, before: quiet, after: try view(2, with(.grace, [pods])))
    case .zoneLoss: return ViewChange(event: event, before: quiet, after: try view(2, with(.grace, Set(lost))))
    case .zoneReturn:
      let survivors = numbers.filter { $0 % Self.zones != 0 }.map { member($0) }
      let back = lost.map { member($0, since: 4, process: 1) }
      return ViewChange(
        event: event, before: try view(3, survivors), after: try view(4, survivors + back))
    }
  }

  private func with(_ state: MemberState, _ changed: Set<Int>) -> [Member] {
    (1...pods).map { member($0, state: changed.contains($0) ? state : .active) }
  }

  private func view(_ version: UInt64, _ members: [Member]) throws -> View {
    try View(
      stamp: ViewStamp(version: version, digest: version &* 0x9e37_79b9_7f4a_7c15), members: members,
      tokensPerWeight: tokensPerWeight)
  }

  private func member(_ number: Int, state: MemberState = .active, since: UInt64 = 1, process: Int = 0) -> Member {
    let host = "10.\(number / 62_500).\(number / 250 % 250).\(number % 250)"
    return Member(
      incarnation: Incarnation(rawValue: Self.firstIncarnation + UInt64(process * 1_000_000 + number)),
      description: MemberDescription(
        podID: "session-manager-\(number)", endpoint: "\(host):7400", peerEndpoint: "\(host):7401",
        zone: "zone-\(number % Self.zones)"),
      state: state, since: since)
  }
}
