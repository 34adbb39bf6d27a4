internal import HashRing
public import Placement

/// Which sessions get another owner by a change of the view: exact for the population, and who has to tell whom.
public struct SessionMovement: Sendable {
  /// Sessions whose owner is another one than before.
  public private(set) var moved = 0
  /// Of these, on a pod that lives and has to tell the new owner.
  public private(set) var strays = 0
  /// Of these, on a pod that is gone: their clients connect again.
  public private(set) var disconnected = 0
  /// Strays by who holds them and who owns them.
  public private(set) var straysByPair: [Pair: Int] = [:]

  public struct Pair: Hashable, Sendable {
    public let reporter: Incarnation
    public let owner: Incarnation

    public init(reporter: Incarnation, owner: Incarnation) {
      self.reporter = reporter
      self.owner = owner
    }
  }

  public init(of population: SessionPopulation, by change: ViewChange) {
    let holders = Self.incarnations(change.before)
    let owners = Self.incarnations(change.after)
    for arc in change.before.ring.movedArcs(to: change.after.ring) {
      guard let from = arc.from, let to = arc.to else { continue }
      let count = population.count(in: arc)
      guard count > 0 else { continue }
      moved += count
      guard let holder = change.after.member(holders[from]), holder.state != .grace else {
        disconnected += count
        continue
      }
      strays += count
      straysByPair[Pair(reporter: holders[from], owner: owners[to]), default: 0] += count
    }
  }

  /// By the members' place on the ring.
  static func incarnations(_ view: View) -> [Incarnation] {
    var byPod: [String: Incarnation] = [:]
    for member in view.members where member.state == .active { byPod[member.podID] = member.incarnation }
    return view.ring.members.compactMap { byPod[$0.id] }
  }
}

/// The messages that a movement takes to settle.
public struct SettlingMessages: Codable, Hashable, Sendable {
  public let reporters: Int
  public let owners: Int
  /// Calls from a reporter to an owner, each of at most 4,096 entries.
  public let reports: Int
  public let entries: Int
  public let bytes: Int
  /// The most that one owner is told, and that one reporter has to tell.
  public let mostEntriesOfAnOwner: Int
  public let mostEntriesOfAReporter: Int
  /// One of each member in the new view.
  public let acknowledgements: Int

  /// - Parameters:
  ///   - members: in the new view, those in grace among them: they would acknowledge as well if they could.
  ///   - bytesOfReport: the length of one report of so many entries.
  public init(
    _ movement: SessionMovement, members: Int, entriesPerReport: Int = 4_096, bytesOfReport: (Int) -> Int
  ) {
    var byOwner: [Incarnation: Int] = [:]
    var byReporter: [Incarnation: Int] = [:]
    var (reports, bytes) = (0, 0)
    let bytesOfFullReport = bytesOfReport(entriesPerReport)
    for (pair, entries) in movement.straysByPair {
      byOwner[pair.owner, default: 0] += entries
      byReporter[pair.reporter, default: 0] += entries
      let (full, rest) = entries.quotientAndRemainder(dividingBy: entriesPerReport)
      reports += full + (rest > 0 ? 1 : 0)
      bytes += full * bytesOfFullReport + (rest > 0 ? bytesOfReport(rest) : 0)
    }
    reporters = byReporter.count
    owners = byOwner.count
    self.reports = reports
    entries = movement.strays
    self.bytes = bytes
    mostEntriesOfAnOwner = byOwner.values.max() ?? 0
    mostEntriesOfAReporter = byReporter.values.max() ?? 0
    acknowledgements = members
  }
}
