/// What goes out: messages with an outcome each, other frames, and the account of both in bytes.

/// One session that a message is for, as its record named it.
public struct DeliveryTarget: Hashable, Sendable {
  public let session: SessionID
  /// Delivered to this epoch or a later one.
  public let epoch: Epoch

  public init(session: SessionID, epoch: Epoch) {
    self.session = session
    self.epoch = epoch
  }
}

/// How large a message is. Its payload has the limit that is configured; what is around it, id and headers, one of its
/// own, which no message of a Sender reaches: so a payload of exactly the limit is taken, whatever headers it has.
public struct MessageSize: Hashable, Sendable {
  public let payloadBytes: Int
  /// The whole encoded frame: what is queued.
  public let frameBytes: Int

  public init(payloadBytes: Int, frameBytes: Int) {
    self.payloadBytes = payloadBytes
    self.frameBytes = frameBytes
  }
}

extension SessionLimits {
  /// A Sender takes an id of 128 bytes, and 32 headers of 64 and 1,024.
  public static let envelopeBytes = 64 * 1024

  func allow(_ size: MessageSize) -> Bool {
    size.payloadBytes <= messageBytes && size.frameBytes - size.payloadBytes <= Self.envelopeBytes
  }
}

public struct SessionDelivery: Hashable, Sendable {
  public let session: SessionID
  public let outcome: Outcome
  /// `.none` when there is no such session.
  public let epoch: Epoch
  /// Set when the message is to be sent on it.
  public let stream: StreamID?

  public init(session: SessionID, outcome: Outcome, epoch: Epoch, stream: StreamID? = nil) {
    self.session = session
    self.outcome = outcome
    self.epoch = epoch
    self.stream = stream
  }
}

extension SessionTable {
  /// Counts the message for each session that takes it; the shell sends it on the streams named.
  /// - Parameters:
  ///   - targets: empty for every session of the user.
  ///   - size: of the encoded frame.
  public mutating func deliver(to user: UserID, targets: [DeliveryTarget], size: MessageSize) -> [SessionDelivery] {
    guard targets.isEmpty else {
      return targets.map { target in
        deliver(to: target.session, at: livePlace(of: user, target.session), from: target.epoch, size)
      }
    }
    return livePlaces(of: user).map { deliver(to: entries[$0].text.session, at: $0, from: .none, size) }
  }

  private mutating func deliver(
    to session: SessionID, at place: Int?, from epoch: Epoch, _ size: MessageSize
  ) -> SessionDelivery {
    guard let place, case let current = entries[place].epoch, current >= epoch else {
      return SessionDelivery(session: session, outcome: .gone, epoch: .none, stream: nil)
    }
    guard limits.allow(size) else {
      return SessionDelivery(session: session, outcome: .refused, epoch: current, stream: nil)
    }
    guard queue(place, size.frameBytes) else {
      return SessionDelivery(session: session, outcome: .slow, epoch: current, stream: nil)
    }
    return SessionDelivery(session: session, outcome: .delivered, epoch: current, stream: entries[place].stream)
  }

  /// Counts a frame that answers the client.
  /// - Returns: false when the client's queue is full: it asks and does not read, so end the stream with `slow`.
  public mutating func answerQueued(_ stream: StreamID, frameBytes: Int) -> Bool {
    place(of: stream).map { queue($0, frameBytes) } ?? false
  }

  /// Counts a frame that goes out in any case, few as these are: Welcome, Reconnect.
  public mutating func noticeQueued(_ stream: StreamID, frameBytes: Int) {
    if let place = place(of: stream) { setQueued(place, Int(entries[place].queuedBytes) + frameBytes) }
  }

  public mutating func bytesWritten(_ stream: StreamID, _ count: Int) {
    if let place = place(of: stream) { setQueued(place, max(0, Int(entries[place].queuedBytes) - count)) }
  }

  /// A queue that is empty takes any message, so that a limit below a message's size can't shut a session up.
  private mutating func queue(_ place: Int, _ frameBytes: Int) -> Bool {
    let queued = Int(entries[place].queuedBytes)
    guard queued == 0 || queued + frameBytes <= limits.outboundBytes else { return false }
    setQueued(place, queued + frameBytes)
    return true
  }

  private mutating func setQueued(_ place: Int, _ bytes: Int) {
    let before = entries[place].queuedBytes
    entries[place].queuedBytes = UInt32(clamping: bytes)
    counts.queuedBytes += Int(entries[place].queuedBytes) - Int(before)
  }
}
