// CircularBuffer is a collection and does no I/O: this file is as pure as the other state machines.
import NIOCore

/// The calls whose replies are awaited on one connection, in the order in which they were written, which is the order
/// in which Redis answers. A call is one or several commands and has one reply for each.
///
/// The rule that keeps replies with their calls: an entry leaves the queue only by its last reply or with the
/// connection, never alone. A call whose task was cancelled stays, and its reply is read and dropped. When the oldest
/// call passes its deadline the whole connection is given up: whether and when its reply comes is unknown, and all
/// others would be one behind.
///
/// A value: time is an argument.
struct InFlightQueue<Call> {
  typealias Instant = ContinuousClock.Instant

  enum OnReply {
    case deliver(Call)
    /// The server answered a question that nobody asked.
    case unexpected
  }

  enum OnTimer: Equatable {
    case nothingDue
    /// Close the connection; `connectionClosed` then gives the calls.
    case giveUp
  }

  private struct Entry {
    let call: Call
    var repliesLeft: Int
    let deadline: Instant
  }

  let limit: Int
  private var entries = CircularBuffer<Entry>()
  /// Commands, not calls.
  private(set) var count = 0

  init(limit: Int) { self.limit = limit }

  var earliestDeadline: Instant? { entries.first?.deadline }

  func hasRoom(for replies: Int) -> Bool { count + replies <= limit }

  /// - Parameter replies: at least 1, and `hasRoom` for them.
  mutating func added(_ call: Call, replies: Int, deadline: Instant) {
    count += replies
    entries.append(Entry(call: call, repliesLeft: replies, deadline: deadline))
  }

  mutating func replyReceived() -> OnReply {
    guard let head = entries.first else { return .unexpected }
    count -= 1
    if head.repliesLeft == 1 {
      entries.removeFirst()
    } else {
      entries[entries.startIndex].repliesLeft -= 1
    }
    return .deliver(head.call)
  }

  /// Asks for the head only: deadlines grow in the order of the queue, but for calls that waited for the connection.
  func timerFired(now: Instant) -> OnTimer {
    guard let head = entries.first, head.deadline <= now else { return .nothingDue }
    return .giveUp
  }

  /// All calls that are not (fully) answered, oldest first.
  mutating func connectionClosed() -> [Call] {
    defer {
      entries.removeAll()
      count = 0
    }
    return entries.map(\.call)
  }
}
