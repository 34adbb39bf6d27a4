internal import EdgeEngine

/// What one address may do: connections that are open, and new ones a second. It remembers an address while it has a
/// connection, or until its bucket is full again.
struct AddressLimiter {
  /// 0: no limit.
  let open: Int
  /// Ten seconds' worth at once; 0: no limit.
  let perSecond: Int

  private var entries: [PeerAddress: Entry] = [:]
  /// The number of entries at which those without any meaning are looked for: each sweep pays for itself.
  private var sweepAt = 1_024

  private struct Entry {
    var open = 0
    /// In thousandths of a connection.
    var left: Int
    var refilled: Milliseconds
  }

  init(open: Int, perSecond: Int) {
    self.open = open
    self.perSecond = perSecond
  }

  var isOff: Bool { open == 0 && perSecond == 0 }

  /// Addresses that are remembered.
  var count: Int { entries.count }

  private var capacity: Int { perSecond * 10_000 }

  /// A connection came.
  ///
  /// - Returns: false when it is one too many.
  mutating func admit(_ address: PeerAddress, now: Milliseconds) -> Bool {
    guard !isOff else { return true }
    var entry = refilled(entries[address] ?? Entry(left: capacity, refilled: now), now)
    defer { entries[address] = entry }
    guard open == 0 || entry.open < open, perSecond == 0 || entry.left >= 1_000 else { return false }
    entry.open += 1
    entry.left -= perSecond == 0 ? 0 : 1_000
    if entries.count >= sweepAt { sweep(now) }
    return true
  }

  /// An admitted connection is closed.
  mutating func left(_ address: PeerAddress, now: Milliseconds) {
    guard !isOff, var entry = entries[address].map({ refilled($0, now) }) else { return }
    entry.open -= 1
    entries[address] = isForgettable(entry) ? nil : entry
  }

  private func refilled(_ entry: Entry, _ now: Milliseconds) -> Entry {
    var entry = entry
    entry.left = min(capacity, entry.left + Int(now - entry.refilled) * perSecond)
    entry.refilled = now
    return entry
  }

  private func isForgettable(_ entry: Entry) -> Bool { entry.open == 0 && entry.left == capacity }

  private mutating func sweep(_ now: Milliseconds) {
    entries = entries.filter { !isForgettable(refilled($0.value, now)) }
    sweepAt = max(1_024, entries.count * 2)
  }
}
