import Placement
import Sessions

/// Kept until the pod says that it has read it, so that a lost answer loses none.
struct PendingTakeover {
  let id: Int
  let key: SessionKey
  let newEpoch: Epoch
}

// The scripts register, restore, unregister and takeover, and the sweeper. What a pod does in several round trips, each
// of which compares before it writes, is one step here.

extension SimulatedRegistry {
  mutating func register(_ key: SessionKey, podID: String, incarnation: Incarnation, lastEpoch: Epoch) -> SessionRecord
  {
    let stored = records[key.user]?[key.session]
    let epoch = max((stored?.epoch.rawValue ?? 0) + 1, lastEpoch.rawValue + 1, Self.microseconds(now))
    let record = SessionRecord(key: key, podID: podID, incarnation: incarnation, epoch: Epoch(rawValue: epoch))
    write(record, replacing: stored)
    return record
  }

  private mutating func write(_ record: SessionRecord, replacing stored: SessionRecord?) {
    index[record.incarnation, default: []].insert(record.key)
    happenings.append(.registered(record))
    records[record.key.user, default: [:]][record.key.session] = record
    guard let stored else { return }
    lastTakeover += 1
    takeovers[stored.incarnation, default: []].append(
      PendingTakeover(id: lastTakeover, key: record.key, newEpoch: record.epoch))
    takeoverHints.append(stored.incarnation)
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

  mutating func unregister(_ record: SessionRecord) {
    guard records[record.key.user]?[record.key.session] == record else { return }
    records[record.key.user]?[record.key.session] = nil
    index[record.incarnation]?.remove(record.key)
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
      for key in index[incarnation] ?? [] where records[key.user]?[key.session]?.incarnation == incarnation {
        records[key.user]?[key.session] = nil
      }
      index[incarnation] = nil
      departed[incarnation] = nil
      swept.insert(incarnation)
    }
  }
}
