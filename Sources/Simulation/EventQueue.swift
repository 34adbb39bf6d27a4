/// Whether something has happened that may happen only once, e.g. that a call was answered or given up.
final class Once {
  private(set) var isDone = false

  /// True for the first who asks.
  func first() -> Bool {
    defer { isDone = true }
    return !isDone
  }
}

/// What is going to happen, by virtual time; what is due at one time happens in the order in which it was planned.
struct EventQueue {
  struct Event {
    let time: Duration
    fileprivate let order: UInt64
    /// Not to happen, and no step, once this is done: a time-out of an answered call.
    let unless: Once?
    let action: () -> Void
  }

  private var heap: [Event] = []
  private var lastOrder: UInt64 = 0

  mutating func add(at time: Duration, unless: Once?, _ action: @escaping () -> Void) {
    lastOrder += 1
    heap.append(Event(time: time, order: lastOrder, unless: unless, action: action))
    var child = heap.count - 1
    while child > 0, case let parent = (child - 1) / 2, Self.isEarlier(heap[child], heap[parent]) {
      heap.swapAt(child, parent)
      child = parent
    }
  }

  var nextTime: Duration? { heap.first?.time }

  mutating func popFirst() -> Event? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var earliest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && Self.isEarlier(heap[child], heap[earliest]) {
        earliest = child
      }
      guard earliest != parent else { return first }
      heap.swapAt(parent, earliest)
      parent = earliest
    }
  }

  private static func isEarlier(_ left: Event, _ right: Event) -> Bool {
    left.time == right.time ? left.order < right.order : left.time < right.time
  }
}
