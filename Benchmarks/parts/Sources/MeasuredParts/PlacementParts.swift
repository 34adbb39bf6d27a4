internal import Placement

extension Part {
  static let placement = [
    admission("placement: admit an owned user", window: Inputs.quietWindow, owned: true),
    admission("placement: admit a recorded stray", window: Inputs.quietWindow, owned: false),
    admission("placement: admit a recorded stray, changing ring", window: Inputs.changingWindow, owned: false),
    comingAndGoing,
    claim("placement: claim, user without strays", strays: false),
    claim("placement: claim, user with a stray", strays: true),
    record(1), record(256),
  ]

  private static func admission(
    _ name: String, window: @escaping @Sendable () throws -> Window, owned: Bool
  ) -> Part {
    Part(name) {
      try MeasuredMember.withSessions(window(), ownsUsers: owned)
    } operation: { member, number in
      member.placement.admission(ofUserHash: member.user(number), now: .zero) == .admitted ? 1 : 0
    }
  }

  private static let comingAndGoing = Part("placement: an owned user's session comes and goes") {
    try MeasuredMember(Inputs.quietWindow(), ownsUsers: true)
  } operation: { member, number in
    member.placement.sessionArriving(userHash: member.user(number))
    member.placement.sessionEnded(userHash: member.user(number))
    return member.placement.userCount
  }

  private static func claim(_ name: String, strays: Bool) -> Part {
    Part(name) {
      try strays ? MeasuredMember.withStrays() : MeasuredMember(Inputs.quietWindow(), ownsUsers: true)
    } operation: { member, number in
      let claim = member.placement.claim(forUserHash: member.user(number), now: .zero)
      return claim.isComplete ? 1 : claim.strays.count
    }
  }

  /// Reports and their retractions take turns, so that there are not more and more strays.
  private static func record(_ count: Int) -> Part {
    Part("placement: record a report, \(count) \(count == 1 ? "user" : "users")", counted: 4_096 / count) {
      try MeasuredMember(Inputs.quietWindow(), ownsUsers: true)
    } operation: { member, number in
      member.record(count, firstNumber: number * count + 1, retracting: number % 2 == 1)
    }
  }
}

/// Member 1, with its lease.
private struct MeasuredMember {
  private static let incarnation = Incarnation(rawValue: 1)
  private static let reporter = Incarnation(rawValue: 2)

  var placement: MemberPlacement
  /// All of them are the member's own, or none.
  private let users: [UInt64]

  init(_ window: Window, ownsUsers: Bool) throws {
    placement = MemberPlacement(
      incarnation: Self.incarnation, window: window, leaseEnds: .seconds(3), admitsFrom: .zero)
    // One hash of a hundred is the member's own: as many are tried as it takes.
    let numbers = (0...).lazy.map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }
    let wanted = numbers.filter { hash in
      let isOwner = window.current.owner(ofUserHash: hash)?.incarnation == Self.incarnation
      return isOwner == ownsUsers
    }
    users = Array(wanted.prefix(Inputs.userCount))
  }

  /// Every user has a session here, and every owner has recorded what it was told.
  static func withSessions(_ window: Window, ownsUsers: Bool) throws -> Self {
    var member = try Self(window, ownsUsers: ownsUsers)
    for user in member.users { member.placement.sessionArriving(userHash: user) }
    member.receiveReceipts()
    return member
  }

  /// Every user is the member's own, and has a session elsewhere.
  static func withStrays() throws -> Self {
    var member = try Self(Inputs.quietWindow(), ownsUsers: true)
    _ = member.record(Inputs.userCount, firstNumber: 1, retracting: false)
    return member
  }

  func user(_ number: Int) -> UInt64 { users[number % users.count] }

  private mutating func receiveReceipts() {
    for owner in placement.ownersToTell.sorted() {
      while let report = placement.nextReport(to: owner) {
        let last = report.firstNumber + UInt64(report.entries.count) - 1
        _ = placement.receiptReceived(StrayReceipt(series: report.series, recordedThrough: last), from: owner)
      }
    }
  }

  /// Another member tells of the first `count` users.
  mutating func record(_ count: Int, firstNumber: Int, retracting: Bool) -> Int {
    let report = StrayReport(
      reporter: Self.reporter, owner: Self.incarnation, series: 1, firstNumber: UInt64(firstNumber),
      entries: users.prefix(count).map { StrayEntry(userHash: $0, isRetraction: retracting) })
    return Int(placement.record(report).recordedThrough)
  }
}
