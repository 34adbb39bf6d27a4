/// What a subscribed connection makes of what arrives, and of silence.
///
/// A subscriber only listens, so a dead peer would go unnoticed for ever: nothing arrives, and nothing is expected. So
/// after an interval of silence it sends PING, and after another one it gives the connection up: a dead peer is noticed
/// within two to three intervals, whatever the kernel believes.
///
///     subscribing ──(every channel confirmed)──▶ subscribed
struct SubscriptionStateMachine {
  enum OnReply: Equatable {
    case nothing
    case subscribed
    case message(channel: String, payload: [UInt8])
    case giveUp(ConnectionEnded)
  }

  enum OnInterval: Equatable {
    case nothing
    case sendPing
    case giveUp(ConnectionEnded)
  }

  private var unconfirmed: Int
  private var hasHeard = true
  private var pingIsOut = false

  init(channelCount: Int) { unconfirmed = channelCount }

  mutating func replyReceived(_ value: RedisValue) -> OnReply {
    hasHeard = true
    pingIsOut = false
    switch value {
    case .error(let text):
      return .giveUp(ConnectionEnded(code: .server, reason: "the server refused the subscription: \(text)"))
    case .array(let parts): return pushReceived(parts)
    default: return violation(value)
    }
  }

  private mutating func pushReceived(_ parts: [RedisValue]) -> OnReply {
    guard case .bulk(let kind) = parts.first else { return violation(.array(parts)) }
    switch String(decoding: kind, as: UTF8.self) {
    case "subscribe": return confirmed()
    case "pong": return .nothing
    case "message":
      guard parts.count == 3, case .bulk(let channel) = parts[1], case .bulk(let payload) = parts[2] else {
        return violation(.array(parts))
      }
      return .message(channel: String(decoding: channel, as: UTF8.self), payload: payload)
    default: return violation(.array(parts))
    }
  }

  private mutating func confirmed() -> OnReply {
    unconfirmed -= 1
    return unconfirmed == 0 ? .subscribed : .nothing
  }

  private func violation(_ value: RedisValue) -> OnReply {
    .giveUp(ConnectionEnded(code: .protocolViolation, reason: "unexpected on a subscribed connection: \(value)"))
  }

  mutating func intervalPassed() -> OnInterval {
    defer { hasHeard = false }
    if hasHeard { return .nothing }
    if pingIsOut {
      return .giveUp(ConnectionEnded(code: .timeout, reason: "the server does not answer PING: it hangs or is cut off"))
    }
    pingIsOut = true
    return .sendPing
  }
}
