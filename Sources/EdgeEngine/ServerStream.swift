/// One call on a connection.
///
///     open ── client half-closes ──▶ half-closed ──┐
///      └──────── ended, cancelled, lost ───────────┴──▶ (forgotten)
internal import HTTP2Wire
internal import SessionEdge

struct ServerStream: Sendable {
  // Ordered such that there are no holes: 72 bytes, as one more costs each session 16 of the allocator's.
  var call: (any EngineCall)?
  private var limit: Limit?
  var reader: GRPCMessageReader
  let id: StreamIdentifier
  var outbox = Outbox()
  var sendWindow: FlowWindow
  var receiveWindow: ReceiveWindow
  var inputEnded = false
  /// Whether the first message has to come within the patience.
  var awaitsMessage = false
  /// Whether there is something to send that the stream's window does not hold back: `canSend`, kept.
  var isReady = false
  private var flags: Flags = []
  /// When the message began of which the reader has a part, or since when the first one is awaited, in milliseconds modulo 2^32.
  var messageBegan: UInt32 = 0

  /// Seldom looked at, so they share a byte.
  private struct Flags: OptionSet {
    let rawValue: UInt8
    static let takesOneMessage = Flags(rawValue: 1)
    static let headersSent = Flags(rawValue: 2)
    static let declaresEncoding = Flags(rawValue: 4)

    subscript(flag: Flags) -> Bool {
      get { contains(flag) }
      set { if newValue { insert(flag) } else { remove(flag) } }
    }
  }

  /// Whether another message ends the call.
  var takesOneMessage: Bool {
    get { flags[.takesOneMessage] }
    set { flags[.takesOneMessage] = newValue }
  }

  var headersSent: Bool {
    get { flags[.headersSent] }
    set { flags[.headersSent] = newValue }
  }

  /// Whether the client has declared an encoding, none of which is taken.
  var declaresEncoding: Bool {
    get { flags[.declaresEncoding] }
    set { flags[.declaresEncoding] = newValue }
  }

  /// A reference, as few streams have one: sessions have no time limit.
  private final class Limit: Sendable {
    let ending: EdgeStatus?
    let deadline: Milliseconds
    init(_ ending: EdgeStatus?, _ deadline: Milliseconds) {
      self.ending = ending
      self.deadline = deadline
    }
  }

  /// The status that comes after what waits in the outbox.
  var ending: EdgeStatus? { limit?.ending }

  /// The client's time limit, or ours for reading to the end.
  var deadline: Milliseconds { limit?.deadline ?? .max }

  mutating func end(_ status: EdgeStatus, deadline: Milliseconds) { limit = Limit(status, deadline) }

  /// For a stream that is not ended.
  mutating func limit(to deadline: Milliseconds) { limit = Limit(nil, deadline) }

  init(id: StreamIdentifier, sendWindow: UInt32, limits: EngineLimits) {
    self.id = id
    self.sendWindow = FlowWindow(initial: Int(sendWindow))
    receiveWindow = ReceiveWindow(size: Int(Settings().initialWindowSize))
    reader = GRPCMessageReader(maximumMessageSize: limits.receivedMessageBytes)
  }

  /// Whether the client owes a message, or the rest of one.
  var owesMessage: Bool { awaitsMessage || !reader.isBetweenMessages }

  /// Milliseconds for which it has owed it.
  func owesFor(_ now: Milliseconds) -> Milliseconds {
    owesMessage ? Milliseconds(UInt32(truncatingIfNeeded: now) &- messageBegan) : 0
  }

  /// Whether the stream's own window lets something out; headers and trailers need none.
  var canSend: Bool { outbox.isEmpty ? ending != nil : sendWindow.available > 0 }

  /// Of one that is ready: whether only its trailers are left.
  var needsNoWindow: Bool { outbox.isEmpty }
}
