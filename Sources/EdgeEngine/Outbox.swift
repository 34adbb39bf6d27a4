internal import HTTP2Wire
internal import SessionEdge

/// Messages that wait for window or socket: no memory while there are none.
struct Outbox: Sendable {
  struct Waiting: Sendable {
    let bytes: [UInt8]
    /// Bytes of all messages from the first ever to this one, modulo 2^32: what waits is a difference of two, so that an
    /// outbox without messages has no place for it.
    var end: UInt32
    /// Whether it gives way to later ones.
    let isDroppable: Bool
    /// Whether it is the answer to a message of the client, and earns it no frames.
    let isAnswer: Bool

    var start: UInt32 { end &- UInt32(truncatingIfNeeded: bytes.count) }
  }

  private var messages: [Waiting] = []
  /// Index of the first that is not sent.
  private var head: Int32 = 0
  /// Bytes of the first one, its prefix included, that are sent.
  private var sent: UInt32 = 0

  private static let prefixCount = 5

  var isEmpty: Bool { messages.isEmpty }

  /// Whether a message was begun and not finished.
  var isWithinMessage: Bool { sent > 0 }

  mutating func append(_ message: [UInt8], isDroppable: Bool = false, isAnswer: Bool = false) {
    let end = (messages.last?.end ?? 0) &+ UInt32(truncatingIfNeeded: message.count)
    messages.append(Waiting(bytes: message, end: end, isDroppable: isDroppable, isAnswer: isAnswer))
  }

  mutating func removeAll() { self = Outbox() }

  struct Moved {
    /// Prefixes included.
    var bytes = 0
    /// Without them, and with the overhead of answers that are sent to their end now.
    var ofMessages = 0
    /// Without answers: messages that are sent to their end now, and bytes.
    var earningMessages = 0
    var earningBytes = 0
  }

  /// Appends up to `most` bytes of length-prefixed messages.
  mutating func move(atMost most: Int, to output: inout [UInt8]) -> Moved {
    var moved = Moved()
    while moved.bytes < most, !messages.isEmpty {
      let message = messages[Int(head)].bytes
      let earns = !messages[Int(head)].isAnswer
      if sent < Self.prefixCount {
        moved.bytes += movePrefix(count: UInt32(message.count), atMost: most - moved.bytes, to: &output)
        guard sent == Self.prefixCount else { break }
      }
      let start = Int(sent) - Self.prefixCount
      let piece = min(most - moved.bytes, message.count - start)
      output += message[start..<(start + piece)]
      moved.bytes += piece
      moved.ofMessages += piece
      sent += UInt32(piece)
      if earns { moved.earningBytes += piece }
      if start + piece == message.count {
        if earns { moved.earningMessages += 1 } else { moved.ofMessages += EdgeAnswer.overheadBytes }
        next()
      }
    }
    return moved
  }

  /// - Returns: how many bytes of it.
  private mutating func movePrefix(count: UInt32, atMost most: Int, to output: inout [UInt8]) -> Int {
    if sent == 0, most >= Self.prefixCount {
      GRPCMessageWriter.appendPrefix(count: Int(count), to: &output)
      sent = UInt32(Self.prefixCount)
      return Self.prefixCount
    }
    let end = min(UInt32(Self.prefixCount), sent + UInt32(most))
    for index in sent..<end { output.append(index == 0 ? 0 : UInt8(truncatingIfNeeded: count >> (8 * (4 - index)))) }
    defer { sent = end }
    return Int(end - sent)
  }

  private mutating func next() {
    sent = 0
    advance(to: Int(head) + 1)
  }

  /// Lets go what lies before the new head, and the places for it before they are the larger part.
  private mutating func advance(to new: Int) {
    guard new < messages.count else { return removeAll() }
    if new >= 32, new * 2 > messages.count {
      messages.removeFirst(new)
      head = 0
      return
    }
    for index in Int(head)..<new { messages[index] = Waiting(bytes: [], end: 0, isDroppable: false, isAnswer: false) }
    head = Int32(new)
  }
}

// MARK: - Dropping

extension Outbox {
  struct Dropped {
    var messages = 0
    var bytes = 0
  }

  /// Messages that have to stay are passed over, so many at most, for they would be looked at again each time.
  private static let mostPassedOver = 64

  /// Bytes that are not sent, prefixes not counted: as whoever bounds the queue counts them, so that nothing is dropped that
  /// was within the bound.
  private var waiting: Int {
    guard let last = messages.last else { return 0 }
    return Int(last.end &- messages[Int(head)].start) - max(0, Int(sent) - Self.prefixCount)
  }

  /// Drops the oldest of the droppable messages that have not begun, until `limit` bytes wait. The newest message stays.
  mutating func drop(beyond limit: Int) -> Dropped {
    var dropped = Dropped()
    let excess = waiting - limit
    var kept: [Waiting] = []
    var position = Int(head)
    while position < messages.count - 1, dropped.bytes < excess, kept.count < Self.mostPassedOver {
      let message = messages[position]
      if message.isDroppable, position > head || !isWithinMessage {
        dropped.messages += 1
        dropped.bytes += message.bytes.count
      } else {
        kept.append(message)
      }
      position += 1
    }
    guard dropped.messages > 0 else { return dropped }
    // What stays moves up to what comes after it.
    var new = position
    for var message in kept.reversed() {
      message.end = messages[new].start
      new -= 1
      messages[new] = message
    }
    advance(to: new)
    return dropped
  }

  /// Drops every message that has not begun, and counts the droppable ones among them.
  mutating func dropAll() -> Dropped {
    var dropped = Dropped()
    let first = Int(head) + (isWithinMessage ? 1 : 0)
    for message in messages.dropFirst(first) where message.isDroppable {
      dropped.messages += 1
      dropped.bytes += message.bytes.count
    }
    guard isWithinMessage else {
      removeAll()
      return dropped
    }
    messages = [messages[Int(head)]]
    head = 0
    return dropped
  }
}
