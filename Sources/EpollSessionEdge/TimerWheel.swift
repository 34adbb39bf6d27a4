/// Deadlines by time slot. Adding one costs the same however many there are; cancelling is not needed, as whoever is woken
/// looks whether it is time. (Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987: scheme 6, one turn,
/// with what lies further ahead put in again.)
struct TimerWheel {
  struct Entry: Hashable {
    /// Names who is to be woken.
    let token: UInt64
    let time: Int64
  }

  /// Milliseconds of a slot: how late a deadline may be met.
  static let slotWidth: Int64 = 50
  private static let slotCount: Int64 = 1_024

  private var slots = [[Entry]](repeating: [], count: Int(slotCount))
  /// The slot that is emptied next, counted from time 0.
  private var next: Int64
  private(set) var count = 0

  init(now: Int64) { next = now / Self.slotWidth }

  mutating func add(_ token: UInt64, at time: Int64) {
    // Rounded up, so that nobody is woken before it is time.
    let wanted = (time + Self.slotWidth - 1) / Self.slotWidth
    let slot = min(max(wanted, next), next + Self.slotCount - 1)
    slots[Int(slot % Self.slotCount)].append(Entry(token: token, time: time))
    count += 1
  }

  /// Milliseconds until something may be due; nil when nothing is in the wheel.
  func wait(now: Int64) -> Int64? {
    guard count > 0 else { return nil }
    let first = (next..<(next + Self.slotCount)).first { !slots[Int($0 % Self.slotCount)].isEmpty }
    return first.map { max(0, $0 * Self.slotWidth - now) }
  }

  /// Takes out what is due at `now`.
  mutating func due(now: Int64) -> [Entry] {
    let last = now / Self.slotWidth
    guard next <= last else { return [] }
    // After a long stop, every slot once.
    let first = max(next, last - Self.slotCount + 1)
    var due: [Entry] = []
    var later: [Entry] = []
    for slot in first...last {
      let entries = slots[Int(slot % Self.slotCount)]
      guard !entries.isEmpty else { continue }
      slots[Int(slot % Self.slotCount)] = []
      for entry in entries { if entry.time <= now { due.append(entry) } else { later.append(entry) } }
    }
    next = last + 1
    count -= due.count + later.count
    for entry in later { add(entry.token, at: entry.time) }
    return due
  }
}
