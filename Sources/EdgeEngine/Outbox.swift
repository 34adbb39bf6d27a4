internal import HTTP2Wire

/// Messages that wait for window or socket: no memory while there are none.
struct Outbox: Sendable {
  private var messages: [[UInt8]] = []
  /// Index of the first that is not sent.
  private var head: Int32 = 0
  /// Bytes of the first one, its prefix included, that are sent.
  private var sent: UInt32 = 0

  private static let prefixCount = 5

  var isEmpty: Bool { messages.isEmpty }

  /// Whether a message was begun and not finished.
  var isWithinMessage: Bool { sent > 0 }

  mutating func append(_ message: [UInt8]) { messages.append(message) }

  mutating func removeAll() { self = Outbox() }

  struct Moved {
    /// Prefixes included.
    var bytes = 0
    var ofMessages = 0
    /// Messages that are sent to their end now.
    var messages = 0
  }

  /// Appends up to `most` bytes of length-prefixed messages.
  mutating func move(atMost most: Int, to output: inout [UInt8]) -> Moved {
    var moved = Moved()
    while moved.bytes < most, !messages.isEmpty {
      let message = messages[Int(head)]
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
      if start + piece == message.count {
        moved.messages += 1
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
    head += 1
    guard head < messages.count else { return removeAll() }
    // What is sent is let go before it is the larger part.
    if head >= 32, Int(head) * 2 > messages.count {
      messages.removeFirst(Int(head))
      head = 0
    } else {
      messages[Int(head) - 1] = []
    }
  }
}
