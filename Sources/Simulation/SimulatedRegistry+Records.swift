import Placement
import Sessions

/// Kept until the pod says that it has read it, so that a lost answer loses none.
struct PendingTakeover {
  let id: Int
  let key: SessionKey
  let newEpoch: Epoch
  let newPodID: String
}

// The scripts register, restore, unregister and takeover, and the sweeper. What a pod does in several round trips, each
// of which compares before it writes, is one step here.

extension SimulatedRegistry {
  struct Registration {
    let record: SessionRecord
    let replaced: SessionRecord?
  }

  /// - Parameter isMove: nobody is told of what is replaced.
  mutating func register(
    _ key: SessionKey, podID: String, incarnation: Incarnation, lastEpoch: Epoch, isMove: Bool
  ) -> Registration {
    let stored = records[key.user]?[key.session]
    let epoch = max((stored?.epoch.rawValue ?? 0) + 1, lastEpoch.rawValue + 1, Self.microseconds(now))
    let record = SessionRecord(key: key, podID: podID, incarnation: incarnation, epoch: Epoch(rawValue: epoch))
    index[record.incarnation, default: []].insert(record.key)
    happenings.append(.registered(record, isMove: isMove))
    records[record.key.user, default: [:]][record.key.session] = record
    before[key] = isMove && !without.contains(.moveBefore) ? stored : nil
    if let stored, !isMove || without.contains(.moveRelease) { reportTakeover(of: stored, by: record) }
    return Registration(record: record, replaced: stored)
  }

  private mutating func write(_ record: SessionRecord, replacing stored: SessionRecord?) {
    index[record.incarnation, default: []].insert(record.key)
    happenings.append(.registered(record, isMove: false))
    before[record.key] = nil
    records[record.key.user, default: [:]][record.key.session] = record
    if let stored { reportTakeover(of: stored, by: record) }
  }

  mutating func reportTakeover(of replaced: SessionRecord, by record: SessionRecord) {
    lastTakeover += 1
    takeovers[replaced.incarnation, default: []].append(
      PendingTakeover(id: lastTakeover, key: record.key, newEpoch: record.epoch, newPodID: record.podID))
    takeoverHints.append(replaced.incarnation)
  }

  /// - Returns: the records that stay, because their epochs are larger.
  mutating func restore(_ restored: [SessionRecord]) -> [SessionRecord] {
    restored.compactMap { record in
      let stored = records[record.key.user]?[record.key.session]
      if stored == record { return nil }
      if let stored, stored.epoch >= record.epoch { return stored }
      write(record, replacing: stored)
      return nil
    }
  }

  /// - Parameter replaced: put in its place.
  mutating func unregister(_ record: SessionRecord, puttingBack replaced: SessionRecord? = nil) {
    let stored = records[record.key.user]?[record.key.session]
    if stored == record || stored?.incarnation != record.incarnation { index[record.incarnation]?.remove(record.key) }
    guard stored == record else { return }
    records[record.key.user]?[record.key.session] = replaced
    before[record.key] = nil
    guard let replaced else { return }
    index[replaced.incarnation, default: []].insert(replaced.key)
    happenings.append(.putBack(replaced))
    reportTakeover(of: replaced, by: replaced)
  }

  /// The session that moved was welcomed.
  mutating func release(_ replaced: SessionRecord, by record: SessionRecord) {
    if records[record.key.user]?[record.key.session] == record { before[record.key] = nil }
    reportTakeover(of: replaced, by: record)
  }

  mutating func takeoversTaken(_ incarnation: Incarnation, through id: Int) {
    takeovers[incarnation]?.removeAll { $0.id <= id }
  }

  func hasKnown(_ incarnation: Incarnation) -> Bool {
    members[incarnation] != nil || departed[incarnation] != nil || swept.contains(incarnation)
  }

  /// Whether it lost data, and nothing has settled since: then records may be missing.
  var isRecovering: Bool { meta?.settled == nil || meta?.runID != serverRunID }

  func records(of user: UserID) -> [SessionRecord] {
    (records[user] ?? [:]).values.sorted { $0.key.session.text < $1.key.session.text }
  }

  /// What a Sender reads: the records before come first.
  func recordsForSenders(of user: UserID) -> [SessionRecord] {
    let records = records(of: user)
    return records.compactMap { before[$0.key] } + records
  }

  /// The record of this key, if it is of that incarnation.
  func record(_ key: SessionKey, of incarnation: Incarnation?) -> SessionRecord? {
    records[key.user]?[key.session].flatMap { $0.incarnation == incarnation ? $0 : nil }
  }

  mutating func sweep() {
    // Only once nothing that they sent can run any more.
    let longest = departed.filter { $0.value + timing.lease <= callClock }.sorted {
      $0.value == $1.value ? $0.key < $1.key : $0.value < $1.value
    }
    for (incarnation, _) in longest.prefix(16) {
      for key in (index[incarnation] ?? []).sorted(by: {
        ($0.user.text, $0.session.text) < ($1.user.text, $1.session.text)
      }) {
        guard let record = records[key.user]?[key.session], record.incarnation == incarnation else { continue }
        // A session that was about to move is where it was.
        unregister(record, puttingBack: before[key].flatMap { members[$0.incarnation] == nil ? nil : $0 })
      }
      index[incarnation] = nil
      departed[incarnation] = nil
      swept.insert(incarnation)
    }
  }
}
