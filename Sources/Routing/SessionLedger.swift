import Placement
import Sessions

/// What one push knows of each session so far: where the newest record says it is, which pod took the message, and
/// which attempt failed.
///
/// The epoch decides. A pod that took the message for epoch 7 has served every record up to epoch 7; a record with
/// epoch 8 names a newer connection of the same device, and that one has to get the message as well (the client drops
/// the repeat by the message's id). An attempt that failed is not repeated for the same incarnation and epoch: only a
/// changed record is a reason to call again.
struct SessionLedger {
  private(set) var entries: [SessionID: Entry] = [:]

  struct Entry {
    /// The newest record; nil when there is none, or it is void.
    var record: SessionRecord?
    var accepted: Attempt?
    var failed: Attempt?

    /// Its record names a place that neither has the message nor was tried in vain.
    var needsCall: Bool {
      guard let record, !isServed else { return false }
      return failed?.incarnation != record.incarnation || failed?.epoch != record.epoch
    }

    /// The message went to the session as the record knows it, or to a later connection of it.
    var isServed: Bool {
      guard let accepted else { return false }
      guard let record else { return true }
      return accepted.epoch >= record.epoch
    }
  }

  struct Attempt {
    let outcome: Outcome
    let incarnation: Incarnation?
    let podID: String
    let epoch: Epoch
    let detail: String
    var slowPolicy: SlowPolicy?
  }

  /// Replaces what the registry said before.
  mutating func recordsRead(_ records: [SessionRecord]) {
    for session in entries.keys { entries[session]?.record = nil }
    for record in records { entries[record.key.session, default: Entry()].record = record }
  }

  /// A pod took a stand on the session: delivered, slow or refused by its stream.
  mutating func accepted(_ session: SessionID, _ attempt: Attempt) {
    if let earlier = entries[session]?.accepted, earlier.epoch > attempt.epoch { return }
    entries[session, default: Entry()].accepted = attempt
  }

  /// "Gone" from one pod does not hide that another, for the same epoch, could not be asked.
  mutating func failed(_ session: SessionID, _ attempt: Attempt) {
    if let earlier = entries[session]?.failed, earlier.outcome == .unreachable, attempt.outcome == .gone,
      earlier.epoch >= attempt.epoch
    {
      return
    }
    entries[session, default: Entry()].failed = attempt
  }

  /// Whether a pod took the message for any session.
  var hasAccepted: Bool { entries.values.contains { $0.accepted != nil } }

  /// Whether one took it for the session as this record knows it, or for a later connection of it.
  func hasAccepted(_ record: SessionRecord) -> Bool {
    entries[record.key.session]?.accepted.map { $0.epoch >= record.epoch } ?? false
  }

  /// The sessions to be called for, in a stable order.
  func sessionsToCall() -> [SessionRecord] {
    entries.values.filter(\.needsCall).compactMap(\.record).sorted { $0.key.session.text < $1.key.session.text }
  }

  /// Each session once. A session that was only ever named by a record that has gone is not there.
  func results() -> [RoutedSession] {
    entries.compactMap { session, entry in
      guard let decisive = entry.isServed ? entry.accepted : entry.failed ?? entry.accepted else { return nil }
      return RoutedSession(
        session: session, podID: decisive.podID, outcome: decisive.outcome, detail: decisive.detail,
        slowPolicy: decisive.slowPolicy)
    }.sorted { $0.session.text < $1.session.text }
  }
}
