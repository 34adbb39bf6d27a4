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
  /// What the slow policy says; nil when the queue had room.
  public let slow: OnSlow?

  public init(session: SessionID, outcome: Outcome, epoch: Epoch, stream: StreamID? = nil, slow: OnSlow? = nil) {
    self.session = session
    self.outcome = outcome
    self.epoch = epoch
    self.stream = stream
    self.slow = slow
  }

  /// In a box, as nearly no delivery has one.
  public indirect enum OnSlow: Hashable, Sendable {
    /// The message was not queued. If `tell` is not 0, tell the client that it has lost so many, and say so by `lossTold`.
    case droppedNewest(StreamID, tell: UInt32)
    /// The message is queued beyond the limit: drop the oldest that have not begun to be written, as far as it takes, and say
    /// so by `messagesDropped`.
    case dropsOldest
    /// The stream is forgotten: end it, drop what is queued for it, and unregister its record.
    case disconnected(StreamID, SessionRecord)

    public var policy: SlowPolicy {
      switch self {
      case .droppedNewest: .dropNewest
      case .dropsOldest: .dropOldest
      case .disconnected: .disconnect
      }
    }
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
      return SessionDelivery(session: session, outcome: .gone, epoch: .none)
    }
    guard limits.allow(size) else { return SessionDelivery(session: session, outcome: .refused, epoch: current) }
    if queue(place, size.frameBytes) {
      return SessionDelivery(session: session, outcome: .delivered, epoch: current, stream: entries[place].stream)
    }
    return deliverSlowly(to: session, at: place, size)
  }

  /// The queue is full.
  private mutating func deliverSlowly(to session: SessionID, at place: Int, _ size: MessageSize) -> SessionDelivery {
    let (epoch, stream) = (entries[place].epoch, entries[place].stream)
    let isWithinTotal = counts.queuedBytes + size.frameBytes <= limits.outboundTotalBytes
    switch (limits.slowPolicy, record(at: place)) {
    // While the shell has not yet dropped what it was asked to, up to the limit once more.
    case (.dropOldest, _) where isWithinTotal && queue(place, size.frameBytes, limit: limits.outboundBytes * 2):
      return SessionDelivery(session: session, outcome: .delivered, epoch: epoch, stream: stream, slow: .dropsOldest)
    case (.disconnect, let record?):
      forget(place)
      return SessionDelivery(session: session, outcome: .slow, epoch: epoch, slow: .disconnected(stream, record))
    default:
      let tell = backlogs.dropped(1, bytes: 0, for: stream)
      return SessionDelivery(session: session, outcome: .slow, epoch: epoch, slow: .droppedNewest(stream, tell: tell))
    }
  }

  /// Counts what answers the client.
  /// - Parameter bytes: of the frame, with what it takes besides while it waits.
  /// - Returns: false when the client's queue is full: it asks and does not read, so end the stream with `slow`.
  public mutating func answerQueued(_ stream: StreamID, bytes: Int) -> Bool {
    place(of: stream).map { queue($0, bytes) } ?? false
  }

  /// Counts a frame that goes out in any case, few as these are: Welcome, Reconnect.
  public mutating func noticeQueued(_ stream: StreamID, frameBytes: Int) {
    if let place = place(of: stream) { setQueued(place, Int(entries[place].queuedBytes) + frameBytes) }
  }

  /// - Returns: how many dropped messages to tell the client of now (`lossTold`); 0: nothing.
  @discardableResult
  public mutating func bytesWritten(_ stream: StreamID, _ count: Int) -> UInt32 {
    guard let place = place(of: stream) else { return 0 }
    setQueued(place, max(0, Int(entries[place].queuedBytes) - count))
    return backlogs.written(count, for: stream)
  }

  /// Queued messages were dropped to make room.
  /// - Returns: how many to tell the client of now (`lossTold`); 0: nothing.
  public mutating func messagesDropped(_ stream: StreamID, _ count: Int, bytes: Int) -> UInt32 {
    guard let place = place(of: stream) else {
      // The stream is about to end: `takeUntoldLoss`.
      backlogs.lost(count, by: stream)
      return 0
    }
    setQueued(place, max(0, Int(entries[place].queuedBytes) - bytes))
    return backlogs.dropped(count, bytes: bytes, for: stream)
  }

  /// Counts the notice that tells the client of dropped messages, which goes out in any case.
  public mutating func lossTold(_ stream: StreamID, frameBytes: Int) {
    guard let place = place(of: stream) else { return }
    noticeQueued(stream, frameBytes: frameBytes)
    backlogs.noticeQueued(for: stream, queuedBytes: Int(entries[place].queuedBytes))
  }

  /// For the last words on a stream that ends in good order, and when it is closed: it may be forgotten already, by a move
  /// for instance, while messages are still dropped for it. To be called for each stream.
  /// - Returns: how many dropped messages its client was not told of; 0 the next time.
  public mutating func takeUntoldLoss(of stream: StreamID) -> UInt32 { backlogs.forget(stream) }

  /// What may be queued for one session now, in bytes: at most a sixteenth of what is left for all.
  ///
  /// So many that do not read can't fill the pod together, nor shut those out that do: whoever has a queue comes to its
  /// limit before the rest is used up, however many they are, and an empty queue takes a message in any case. Such a limit
  /// by what is left is known from switches whose ports share a memory (Choudhury and Hahne, "Dynamic Queue Length
  /// Thresholds for Shared-Memory Packet Switches", IEEE/ACM Transactions on Networking 6(2), 1998); the sixteenth is ours.
  public var outboundLimit: Int {
    min(limits.outboundBytes, max(0, limits.outboundTotalBytes - counts.queuedBytes) / 16)
  }

  /// A queue that is empty takes any message, so that a limit below a message's size can't shut a session up.
  private mutating func queue(_ place: Int, _ frameBytes: Int, limit: Int? = nil) -> Bool {
    let queued = Int(entries[place].queuedBytes)
    guard queued == 0 || queued + frameBytes <= limit ?? outboundLimit else { return false }
    setQueued(place, queued + frameBytes)
    return true
  }

  private mutating func setQueued(_ place: Int, _ bytes: Int) {
    let before = entries[place].queuedBytes
    entries[place].queuedBytes = UInt32(clamping: bytes)
    counts.queuedBytes += Int(entries[place].queuedBytes) - Int(before)
  }
}
