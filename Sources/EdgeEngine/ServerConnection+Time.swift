internal import HTTP2Wire
internal import SessionEdge

/// When a connection was heard and what it owes, all in milliseconds; `.max`: nothing.
struct ConnectionClock: Sendable {
  private(set) var lastHeard: Milliseconds
  /// When an incomplete frame or message began, as far as nothing was completed since.
  private(set) var incompleteSince = Milliseconds.max
  /// When the last PING was sent that nothing came after.
  var pingSent = Milliseconds.max
  /// Until when the client's greeting has to be complete: the preface, SETTINGS, and the acknowledgement of ours.
  private(set) var greetingSince: Milliseconds
  /// Since when there is no call.
  var idleSince: Milliseconds
  /// The earliest of the calls' deadlines, or before it.
  var streamDeadline = Milliseconds.max

  init(now: Milliseconds) {
    lastHeard = now
    greetingSince = now
    idleSince = now
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
  /// When to call `timePassed` at the latest. Earlier does no harm.
  public var nextDeadline: Milliseconds {
    let limits = limits.values
    let liveness =
      clock.pingSent == .max ? clock.lastHeard + limits.keepAliveInterval : clock.pingSent + limits.keepAliveTimeout
    let waited = min(clock.incompleteSince, clock.greetingSince)
    let patience = waited == .max ? .max : waited + limits.patience
    let idle = clock.idleSince == .max ? .max : clock.idleSince + limits.idle
    return min(min(liveness, patience), min(idle, clock.streamDeadline))
  }

  /// Does what is due at `now`: PINGs, and the end of what took too long.
  public mutating func timePassed(now: Milliseconds, into output: inout [UInt8], events: inout [EngineEvent]) {
    guard phase != .finished, now >= nextDeadline else { return }
    if let error = overdue(now) { return fail(error, into: &output, &events) }
    if now >= clock.streamDeadline { endOverdueCalls(now, &output, &events) }
    if clock.idleSince != .max, now >= clock.idleSince + limits.values.idle { goAway(into: &output) }
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
      return calm("a frame or message was not completed within \(limits.patience) ms")
    }
    return nil
  }

  private mutating func endOverdueCalls(_ now: Milliseconds, _ output: inout [UInt8], _ events: inout [EngineEvent]) {
    for index in streams.indices.reversed() where now >= streams[index].deadline {
      if streams[index].ending != nil {
        reset(at: index, .cancel, .connectionLost("the end of the call was not read"), &output, &events)
      } else {
        let status = EdgeStatus(.deadlineExceeded, "the client's time limit is over")
        abort(at: index, status, .cancelledByClient, &output, &events)
      }
    }
    clock.streamDeadline = streams.map(\.deadline).min() ?? .max
  }
}
