/// The life of the one connection that a client keeps up: when to try again, and what commands can expect meanwhile.
///
///     idle ──▶ connecting ──▶ greeting ──▶ ready
///                  ▲  │           │          │
///                  │  └───────────┴──────────┴──▶ backingOff ──▶ connecting …      any ──▶ stopped
///
/// Two rules are worth a word. *Only the first attempt is waited for*: at start nobody knows yet whether Redis is there,
/// and refusing the commands of the first millisecond would make every caller write a retry loop; later, "it is down,
/// since when, and why" is known, and an immediate answer lets a push take its other route. *Only a connection that
/// lasted resets the back-off*: a server that accepts and hangs up must not be hammered.
///
/// A value: time and randomness are arguments.
struct LinkStateMachine: Sendable {
  typealias Instant = ContinuousClock.Instant

  enum State: Sendable, Equatable {
    /// `run` was not called yet. To: connecting, stopped.
    case idle
    /// To: greeting, backingOff, stopped.
    case connecting
    /// Connected; authentication, database and a first PING are under way. To: ready, backingOff, stopped.
    case greeting
    /// To: backingOff, stopped.
    case ready(since: Instant)
    /// To: connecting, stopped.
    case backingOff
    /// `run` returned. To: connecting, when `run` is called again.
    case stopped
  }

  enum Admission: Equatable {
    case send
    /// Until ready, the first attempt's failure, or the command's own deadline.
    case wait
    case refuse(RedisError.Code, String)
  }

  /// What an observer should know of a loss.
  struct OnLost: Equatable {
    let retryAfter: Duration
    /// The first since the connection was last ready (or ever): worth a louder log line than those that follow.
    let isFirst: Bool
  }

  private(set) var state = State.idle
  private let initialBackoff: Duration
  private let maximumBackoff: Duration
  private var failures = 0
  private var isFirstAttempt = true
  private var down: (since: Instant, error: RedisError)?

  init(initialBackoff: Duration, maximumBackoff: Duration) {
    self.initialBackoff = initialBackoff
    self.maximumBackoff = maximumBackoff
  }

  mutating func connectStarted() { state = .connecting }

  mutating func connectionMade() { state = .greeting }

  mutating func greeted(now: Instant) {
    state = .ready(since: now)
    isFirstAttempt = false
    down = nil
  }

  /// - Parameter random: from 0 to 1.
  mutating func connectionLost(_ error: RedisError, now: Instant, random: Double) -> OnLost {
    if case .ready(let since) = state, now - since >= maximumBackoff { failures = 0 }
    let isFirst = down == nil
    down = (down?.since ?? now, error)
    state = .backingOff
    isFirstAttempt = false
    failures += 1
    return OnLost(retryAfter: backoff(random), isFirst: isFirst)
  }

  mutating func stopped() {
    state = .stopped
    isFirstAttempt = false
  }

  private func backoff(_ random: Double) -> Duration {
    // 2^20 times any sensible start is above any sensible maximum; the bound keeps the shift from overflowing.
    let longest = min(maximumBackoff, initialBackoff * (1 << min(failures - 1, 20)))
    return longest * (0.5 + 0.5 * min(max(random, 0), 1))
  }

  func admission(now: Instant) -> Admission {
    switch state {
    case .ready: .send
    case .stopped: .refuse(.unavailable, "this client was stopped: its run() has returned")
    case .idle: .wait
    case .connecting, .greeting, .backingOff: isFirstAttempt ? .wait : refusal(now)
    }
  }

  /// What a command waits for that waits for the first connection, for people.
  func waitingReason(usesTLS: Bool) -> String {
    switch state {
    case .idle: "this client does not run: call its run()"
    case .greeting where usesTLS:
      "the server takes connections and does not answer: it hangs, or does not speak TLS on this port (redis:// is without)"
    case .greeting: "the server takes connections and does not answer: it hangs, or is no Redis (rediss:// is with TLS)"
    case .connecting, .ready, .backingOff, .stopped: "the server does not answer: check address, firewall, and network"
    }
  }

  private func refusal(_ now: Instant) -> Admission {
    guard let down else { return .wait }
    let error = down.error
    let since = (now - down.since).formatted
    guard error.code != .authentication else { return .refuse(.authentication, "\(error.message) (for \(since))") }
    return .refuse(.unavailable, "no connection for \(since); it is being retried. Last error: \(error.message)")
  }
}

extension Duration {
  /// "3.2 s"; the standard library's formatting needs Foundation.
  var formatted: String {
    let tenths = Int64((self / .milliseconds(100)).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
