import HashRing
import Placement
import Testing

func incarnation(_ number: UInt64) -> Incarnation { Incarnation(rawValue: number) }

/// A view whose members are given by incarnation; pod ids follow from them.
func view(
  _ version: UInt64, active: [UInt64] = [], draining: [UInt64] = [], grace: [UInt64] = [],
  since: [UInt64: UInt64] = [:], newest: UInt64 = 99
) -> View {
  func members(_ numbers: [UInt64], _ state: MemberState) -> [Member] {
    numbers.map { number in
      Member(
        incarnation: incarnation(number),
        description: MemberDescription(podID: "pod-\(number)", endpoint: "h:\(number)", peerEndpoint: "p:\(number)"),
        state: state, since: since[number] ?? 1)
    }
  }
  do {
    return try View(
      stamp: ViewStamp(version: version, digest: version),
      members: members(active, .active) + members(draining, .draining) + members(grace, .grace), tokensPerWeight: 16,
      newest: incarnation(newest))
  } catch {
    fatalError("\(error)")
  }
}

func window(_ settled: View, _ current: View) -> Window { Window(settled: settled, current: current) }

func window(_ view: View) -> Window { Window(settled: view, current: view) }

/// The first hash that these views give to these owners.
func user(ownedBy owners: [UInt64], in views: [View]) -> UInt64 {
  for number in 0..<100_000 {
    let hash = keyHash("user-\(number)".utf8)
    if zip(views, owners).allSatisfy({ $0.owner(ofUserHash: hash)?.incarnation.rawValue == $1 }) { return hash }
  }
  fatalError("no user is owned by \(owners)")
}

/// Members that exchange reports without a network.
struct TestMembers {
  var members: [UInt64: MemberPlacement] = [:]

  init(_ numbers: [UInt64], _ window: Window) {
    for number in numbers { members[number] = member(number, window) }
  }

  subscript(_ number: UInt64) -> MemberPlacement {
    get { members[number]! }
    set { members[number] = newValue }
  }

  /// Everything that is to be told is told, and the receipts arrive.
  mutating func exchange() {
    while let (reporter, report) = next() {
      guard let receipt = members[report.owner.rawValue]?.record(report) else { return }
      _ = members[reporter]?.receiptReceived(receipt, from: report.owner)
    }
  }

  private func next() -> (UInt64, StrayReport)? {
    for (number, member) in members.sorted(by: { $0.key < $1.key }) {
      for owner in member.ownersToTell.sorted() where members[owner.rawValue] != nil {
        if let report = member.nextReport(to: owner) { return (number, report) }
      }
    }
    return nil
  }
}

func member(_ number: UInt64, _ window: Window, leaseEnds: Duration = .seconds(3)) -> MemberPlacement {
  MemberPlacement(incarnation: incarnation(number), window: window, leaseEnds: leaseEnds, admitsFrom: .zero)
}

/// What stands for the settled view while none has settled.
let noView: View = {
  do { return try View(stamp: .none, members: [], tokensPerWeight: 16) } catch { fatalError("\(error)") }
}()
