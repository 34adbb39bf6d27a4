internal import Placement
internal import Routing
internal import Sessions

extension Part {
  /// The decisions of one push, from its start to its result; calls and look-ups are answered at once.
  static let routing = [
    Part("routing: the owner has all sessions", input: { try Pushes(strays: false) }) { try $0.push($1) },
    Part("routing: one session is a stray", input: { try Pushes(strays: true) }) { try $0.push($1) },
  ]
}

/// A user has two sessions: both at the owner, or one at the owner and one at another pod.
private struct Pushes {
  private struct UserCase {
    let hash: UInt64
    let ownersAnswer: CallAnswer
    let othersAnswer: CallAnswer
    let records: [SessionRecord]
  }

  private let window: Window
  private let cases: [UserCase]

  init(strays: Bool) throws {
    let window = try Inputs.quietWindow()
    self.window = window
    let hashes = try Inputs.userHashes()
    cases = try zip(try Inputs.users(), hashes).map { user, hash in
      try Self.makeCase(user, hash, window, strays: strays)
    }
  }

  mutating func push(_ number: Int) throws -> Int {
    let user = cases[number % cases.count]
    var route = PushRoute(RouteRequest(userHash: user.hash, window: window))
    var directives = route.start()
    var calls = 0
    while let directive = directives.first {
      switch directive {
      case .deliver(let id, _, _):
        directives = route.handle(.answered(id, calls == 0 ? user.ownersAnswer : user.othersAnswer))
        calls += 1
      case .readRecords: directives = route.handle(.recordsRead(user.records))
      case .refreshView: directives = route.handle(.viewRefreshed(window))
      case .finish(let result): return result.results.count + result.deliverRPCs + result.registryReads
      }
    }
    return 0
  }

  private static func makeCase(_ user: UserID, _ hash: UInt64, _ window: Window, strays: Bool) throws -> UserCase {
    let pods = window.current.successors(ofUserHash: hash, count: 2)
    let (owner, other) = (pods[0], pods[1])
    let phone = try SessionID("phone-2f6c1d90"), desk = try SessionID("desk-81b4e7aa")
    return UserCase(
      hash: hash,
      ownersAnswer: CallAnswer(
        sessions: outcomes(strays ? [phone] : [phone, desk]), isComplete: !strays,
        strays: strays ? [other.incarnation] : [], stamps: window.stamps),
      othersAnswer: CallAnswer(sessions: outcomes([desk]), stamps: window.stamps),
      records: [record(user, phone, at: owner), record(user, desk, at: strays ? other : owner)])
  }

  private static func outcomes(_ sessions: [SessionID]) -> [CallOutcome] {
    sessions.map { CallOutcome(session: $0, outcome: .delivered, epoch: epoch) }
  }

  private static func record(_ user: UserID, _ session: SessionID, at member: Member) -> SessionRecord {
    SessionRecord(
      key: SessionKey(user: user, session: session), podID: member.podID, incarnation: member.incarnation, epoch: epoch)
  }

  private static let epoch = Epoch(rawValue: 1_764_115_200_000_000)
}
