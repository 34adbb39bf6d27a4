internal import HTTP2Wire
internal import SessionEdge

/// When a connection was heard and what it owes, all in milliseconds; `.max`: nothing.
struct ConnectionClock: Sendable {
  private(set) var lastHeard: Milliseconds
  /// When the last PING was sent that nothing came after.
  var pingSent = Milliseconds.max
  /// One at most; an array, which takes a word while it is empty: as it is for a session that waits for messages.
  private var rare: [Rare]

  private struct Rare: Hashable, Sendable {
    var incompleteSince = Milliseconds.max
    var greetingSince = Milliseconds.max
    var idleSince = Milliseconds.max
    var streamDeadline = Milliseconds.max
  }

  init(now: Milliseconds) {
    lastHeard = now
    rare = [Rare(greetingSince: now, idleSince: now)]
  }

  /// When a frame or header block began that is not complete.
  private(set) var incompleteSince: Milliseconds {
    get { rare.first?.incompleteSince ?? .max }
    set { change { $0.incompleteSince = newValue } }
  }

  /// Until when the client's greeting has to be complete: the preface, SETTINGS, and the acknowledgement of ours.
  private(set) var greetingSince: Milliseconds {
    get { rare.first?.greetingSince ?? .max }
    set { change { $0.greetingSince = newValue } }
  }

  /// Since when there is no call.
  var idleSince: Milliseconds {
    get { rare.first?.idleSince ?? .max }
    set { change { $0.idleSince = newValue } }
  }

  /// The earliest of the calls' deadlines and of the ends of patience with their messages, or before it.
  var streamDeadline: Milliseconds {
    get { rare.first?.streamDeadline ?? .max }
    set { change { $0.streamDeadline = newValue } }
  }

  private mutating func change(_ change: (inout Rare) -> Void) {
    var times = rare.first ?? Rare()
    change(&times)
    if times == Rare() { rare = [] } else if rare.isEmpty { rare = [times] } else { rare[0] = times }
  }

  mutating func heard(_ now: Milliseconds) {
    lastHeard = now
    pingSent = .max
  }

  mutating func frameCompleted() { incompleteSince = .max }

  mutating func settingsAcknowledged() { greetingSince = .max }

  mutating func note(isIncomplete: Bool, _ now: Milliseconds) {
    if !isIncomplete { incompleteSince = .max } else if incompleteSince == .max { incompleteSince = now }
  }
}

extension ServerConnection {
  /// Milliseconds without a call; 0 while there is one, and when the connection is over.
  public func idleFor(_ now: Milliseconds) -> Milliseconds {
    clock.idleSince == .max || phase == .finished ? 0 : now - clock.idleSince
  }

  /// When to call `timePassed` at the latest. Earlier does no harm.
  public var nextDeadline: Milliseconds {
    let limits = limits.values
    let liveness =
      clock.pingSent == .max ? clock.lastHeard + limits.keepAliveInterval : clock.pingSent + limits.keepAliveTimeout
    let waited = min(clock.incompleteSince, clock.greetingSince)
    let patience = waited == .max ? .max : waited + limits.patience
    return min(min(liveness, patience), min(idleDeadline, clock.streamDeadline))
  }

  /// When a connection without a call is told to go. Half a header block may become a call, so it gets the patience that
  /// any frame gets; but only once, or else who always sends half of one would stay for ever.
  private var idleDeadline: Milliseconds {
    guard clock.idleSince != .max else { return .max }
    return clock.idleSince + limits.values.idle + (clock.incompleteSince == .max ? 0 : limits.values.patience)
  }

  /// Whether `timePassed` would end the connection because something has not come.
  public func isOverdue(now: Milliseconds) -> Bool { phase != .finished && overdue(now) != nil }

  /// Does what is due at `now`: PINGs, and the end of what took too long.
  public mutating func timePassed(now: Milliseconds, into output: inout [UInt8], events: inout [EngineEvent]) {
    guard phase != .finished, now >= nextDeadline else { return }
    if let error = overdue(now) { return fail(error, into: &output, &events) }
    if now >= clock.streamDeadline { endOverdueCalls(now, &output, &events) }
    if now >= idleDeadline { goAway(into: &output) }
    if clock.pingSent == .max, now >= clock.lastHeard + limits.values.keepAliveInterval {
      clock.pingSent = now
      FrameWriter.appendPing(data: UInt64(bitPattern: now), acknowledgement: false, to: &output)
    }
  }

  private func overdue(_ now: Milliseconds) -> HTTP2Error? {
    let limits = limits.values
    if clock.pingSent != .max, now >= clock.pingSent + limits.keepAliveTimeout {
      return HTTP2Error(.noError, "nothing came after a PING within \(limits.keepAliveTimeout) ms")
    }
    if clock.greetingSince != .max, now >= clock.greetingSince + limits.patience {
      return HTTP2Error(.settingsTimeout, "SETTINGS were not sent and acknowledged within \(limits.patience) ms")
    }
    if clock.incompleteSince != .max, now >= clock.incompleteSince + limits.patience {
      return calm("a frame or header block was not completed within \(limits.patience) ms")
    }
    return nil
  }

  private mutating func endOverdueCalls(_ now: Milliseconds, _ output: inout [UInt8], _ events: inout [EngineEvent]) {
    let patience = limits.values.patience
    for index in streams.indices.reversed() {
      if now >= streams[index].deadline {
        endOverdueCall(at: index, now, &output, &events)
      } else if streams[index].owesFor(now) >= patience {
        let text = "a message was not completed within \(patience) ms"
        abort(at: index, EdgeStatus(.deadlineExceeded, text), .connectionLost(text), &output, &events)
      }
    }
    clock.streamDeadline = .max
    for stream in streams {
      let messageEnd = stream.owesMessage ? now - stream.owesFor(now) + patience : .max
      clock.streamDeadline = min(clock.streamDeadline, stream.deadline, messageEnd)
    }
  }

  private mutating func endOverdueCall(
    at index: Int, _ now: Milliseconds, _ output: inout [UInt8], _ events: inout [EngineEvent]
  ) {
    guard streams[index].ending == nil else {
      return reset(at: index, .cancel, .connectionLost("the end of the call was not read"), &output, &events)
    }
    let status = EdgeStatus(.deadlineExceeded, "the client's time limit is over")
    abort(at: index, status, .cancelledByClient, &output, &events)
  }
}
