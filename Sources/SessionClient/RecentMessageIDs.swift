/// The ids of the newest messages, to drop repeats: while a session moves both pods deliver, and a Sender that is in doubt
/// sends again. Bounded: the oldest id is forgotten for each new one beyond the capacity.
struct RecentMessageIDs: Sendable {
  // By their bytes: Swift's strings call some equal that are two.
  private var known: Set<[UInt8]> = []
  private var order: [[UInt8]] = []
  /// Where the next id goes once `order` is full.
  private var next = 0
  private let capacity: Int

  init(capacity: Int) { self.capacity = max(1, capacity) }

  /// False when the id was seen among the newest `capacity`. Messages without an id are all taken as new.
  mutating func insert(_ id: String) -> Bool {
    guard !id.isEmpty else { return true }
    let id = Array(id.utf8)
    guard known.insert(id).inserted else { return false }
    if order.count < capacity {
      order.append(id)
    } else {
      known.remove(order[next])
      order[next] = id
      next = (next + 1) % capacity
    }
    return true
  }
}
