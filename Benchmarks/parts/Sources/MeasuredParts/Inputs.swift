internal import HashRing
internal import Placement
internal import Sessions

/// What several parts work on. Everything follows from numbers, so that each run does the same.
enum Inputs {
  /// How many users take turns: more than a branch predictor remembers, few enough for the cache.
  static let userCount = 256

  static func users() throws -> [UserID] {
    try (0..<userCount).map { try UserID("user-\(1_000_000 + $0 * 7_919)") }
  }

  static func userHashes() throws -> [UInt64] { try users().map { keyHash($0.text.utf8) } }

  static func ringMembers(_ count: Int) -> [RingMember] { (1...count).map { RingMember(id: podID($0)) } }

  /// Of members 1 to `count`, each with 256 tokens.
  static func view(_ count: Int) throws -> View {
    try View(stamp: ViewStamp(version: UInt64(count), digest: UInt64(count)), members: (1...count).map(member))
  }

  /// 100 members, and nothing changes.
  static func quietWindow() throws -> Window {
    let view = try view(100)
    return Window(settled: view, current: view)
  }

  /// A member joins 99 others.
  static func changingWindow() throws -> Window { Window(settled: try view(99), current: try view(100)) }

  static func member(_ number: Int) -> Member {
    Member(
      incarnation: Incarnation(rawValue: UInt64(number)),
      description: MemberDescription(
        podID: podID(number), endpoint: "10.0.1.\(number):7400", peerEndpoint: "10.0.1.\(number):7401"),
      state: .active, since: 1)
  }

  private static func podID(_ number: Int) -> String { "session-manager-\(number)" }
}
