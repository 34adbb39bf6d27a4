import Placement
import Sessions

// The scripts join, renew, resume, acknowledge, drain, leave, gone and window.

extension SimulatedRegistry {
  /// What every membership script answers with, besides its own.
  struct Reply<Value> {
    let value: Value
    /// Until pending changes may be published; whoever gets another figure than zero sees to a call by then.
    let wait: Duration
  }

  struct Granted {
    let incarnation: Incarnation
    let admitsAfter: Duration
    let window: Window?
  }

  enum Renewal {
    case renewed(current: ViewStamp, [PendingTakeover], order: Int)
    case lapsed
  }

  mutating func conclude<Value>(_ value: Value) -> Reply<Value> {
    let wait = publish()
    settle()
    return Reply(value: value, wait: wait)
  }

  private mutating func create() { meta = Meta(runID: serverRunID, clock: now, last: now) }

  mutating func join(_ description: MemberDescription) -> Reply<Granted?> {
    if meta != nil {
      begin()
    } else {
      create()
      holdBack()
    }
    let newest = max((meta?.newest ?? 0) + 1, Self.microseconds(now))
    meta?.newest = newest
    let incarnation = Incarnation(rawValue: newest)
    setAsOrdered(incarnation, description)
    leases[incarnation] = callClock + timing.lease
    happenings.append(.joined(incarnation, podID: description.podID))
    let wait = publish()
    settle()
    return Reply(value: granted(incarnation), wait: wait)
  }

  private func granted(_ incarnation: Incarnation) -> Granted {
    Granted(
      incarnation: incarnation, admitsAfter: max((meta?.admitsFrom ?? .zero) - callClock, .zero), window: window)
  }

  mutating func renew(_ incarnation: Incarnation) -> Reply<Renewal> {
    guard meta != nil else { return Reply(value: .lapsed, wait: .zero) }
    advanceClock()
    checkServer()
    let isKnown = leases[incarnation] != nil
    if isKnown { leases[incarnation] = callClock + timing.lease }
    expire()
    let wait = publish()
    settle()
    let renewal: Renewal =
      isKnown
      ? .renewed(current: meta?.stamp ?? .none, takeovers[incarnation] ?? [], order: orderNumber) : .lapsed
    return Reply(value: renewal, wait: wait)
  }

  /// Nil: departed.
  mutating func resume(_ incarnation: Incarnation, _ description: MemberDescription, floor: View) -> Reply<Granted?> {
    if meta != nil { begin() } else { create() }
    guard departed[incarnation] == nil, !swept.contains(incarnation) else { return conclude(nil) }
    var newest = max(meta?.newest ?? 0, incarnation.rawValue)
    if members[incarnation] == nil, !without.contains(.barrier) {
      holdBack()
      for other in floor.members
      where members[other.incarnation] == nil && departed[other.incarnation] == nil
        && !swept.contains(other.incarnation)
      {
        setMember(
          other.incarnation,
          Row(
            description: other.description, ownWeight: other.description.weight, state: .grace, since: other.since))
        grace[other.incarnation] = callClock + timing.lease + timing.grace
        newest = max(newest, other.incarnation.rawValue)
      }
    }
    meta?.newest = newest
    if floor.stamp.version > max(meta?.stamp.version ?? 0, meta?.floor?.version ?? 0) { meta?.floor = floor.stamp }
    setAsOrdered(incarnation, description)
    grace[incarnation] = nil
    leases[incarnation] = callClock + timing.lease
    happenings.append(.resumed(incarnation))
    let wait = publish()
    settle()
    return Reply(value: Granted(incarnation: incarnation, admitsAfter: .zero, window: window), wait: wait)
  }

  /// False: stale.
  mutating func acknowledge(_ incarnation: Incarnation, _ view: ViewStamp) -> Reply<Bool> {
    guard meta != nil else { return Reply(value: false, wait: .zero) }
    begin()
    let wait = publish()
    let isCurrent = meta?.stamp == view || without.contains(.staleAcknowledgement)
    let isTaken = isCurrent && members[incarnation] != nil
    if isTaken { waiting.remove(incarnation) }
    settle()
    return Reply(value: isTaken, wait: wait)
  }

  mutating func drain(_ incarnation: Incarnation) -> Reply<Void> {
    guard meta != nil else { return Reply(value: (), wait: .zero) }
    begin()
    if leases[incarnation] != nil { setState(incarnation, .draining) }
    return conclude(())
  }

  mutating func leave(_ incarnation: Incarnation) -> Reply<Void> { depart(ifMember: incarnation, .left) }

  mutating func gone(_ incarnation: Incarnation) -> Reply<Void> { depart(ifMember: incarnation, .provenGone) }

  private mutating func depart(ifMember incarnation: Incarnation, _ why: Departure) -> Reply<Void> {
    guard meta != nil else { return Reply(value: (), wait: .zero) }
    begin()
    if members[incarnation] != nil { depart(incarnation, why) }
    return conclude(())
  }

  mutating func readWindow() -> Reply<Window?> {
    guard meta != nil else { return Reply(value: nil, wait: .zero) }
    begin()
    let wait = publish()
    settle()
    return Reply(value: window, wait: wait)
  }
}
