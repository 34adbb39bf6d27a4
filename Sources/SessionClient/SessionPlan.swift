// What a client does to keep a session, as a value: events go in, one step to take comes out. Time and chance are
// arguments; `SessionClient` takes the steps.
//
// One attempt goes: ask any known pod for the user's pods (Locate), try those in order, owner first. When all of them
// refused, wait, and begin again with asking: the ring may have changed. A pod that ends the stream and names endpoints has
// the last word on where to go first. After a session that worked the client waits a moment of random length, because
// thousands of others lost theirs in the same instant, and goes straight to the successors that the Welcome named. A session
// that ends again and again soon after its welcome waits longer each time.

struct SessionPlan: Sendable {
  enum Step: Sendable, Hashable {
    /// Ask this pod where the user's sessions belong.
    case locate(via: String)
    /// Open the session there.
    case connect(to: String)
    /// Wait, then report `waited`.
    case wait(Duration)
    case end(SessionEndReason)
  }

  private let configured: [String]
  private let backoff: Backoff
  private let maximumAttempts: Int?
  private let comesBackWhenTakenOver: Bool
  private let asksForOwner: Bool

  /// Where to ask; the configured ones, rotated, so that not all clients ask the first.
  private var unasked: [String]
  /// Where to connect, best first.
  private var candidates: [String] = []
  /// Pods of the last Welcome or Locate: also asked when the configured ones are gone.
  private var successors: [String] = []
  private var failedRounds = 0
  /// Sessions in a row that ended within `shortLife` of their welcome.
  private var shortLives = 0
  private(set) var lastProblem = "no attempt was made"

  static let shortLife = Duration.seconds(5)

  /// - Parameter random: 0 up to 1: which of the endpoints is asked first.
  init(
    endpoints: [String], backoff: Backoff = .init(), maximumAttempts: Int? = nil, comesBackWhenTakenOver: Bool = false,
    asksForOwner: Bool = true, random: Double
  ) {
    configured = endpoints
    self.backoff = backoff
    self.maximumAttempts = maximumAttempts
    self.comesBackWhenTakenOver = comesBackWhenTakenOver
    self.asksForOwner = asksForOwner
    unasked = asksForOwner ? Self.rotated(endpoints, random: random) : endpoints
  }

  mutating func start(random: Double) -> Step { nextStep(random: random) }

  mutating func located(_ pods: [String], random: Double) -> Step {
    candidates = Self.unique(pods)
    unasked = []
    if candidates.isEmpty { lastProblem = "the cluster has no pod that takes sessions" }
    return nextStep(random: random)
  }

  /// A refusal is final here too: of a user id that no pod takes, or by something that is no pod's session port.
  mutating func locateFailed(_ end: StreamEnd, random: Double) -> Step {
    lastProblem = end.text
    if end.verdict == .refused { return .end(.refused(end.text)) }
    return nextStep(random: random)
  }

  /// The pod did not take the session.
  mutating func connectFailed(_ end: StreamEnd, random: Double) -> Step {
    ended(end, random: random)
  }

  mutating func welcomed(successors: [String]) {
    self.successors = Self.unique(successors)
    candidates = []
    unasked = []
    failedRounds = 0
  }

  /// A session that had been welcomed is over, `lasted` after its welcome.
  mutating func streamEnded(_ end: StreamEnd, lasted: Duration, random: Double) -> Step {
    candidates = successors
    unasked = Self.rotated(configured, random: random)
    shortLives = lasted < Self.shortLife ? shortLives + 1 : 0
    let step = ended(end, random: random)
    guard case .connect(let first) = step else { return step }
    candidates.insert(first, at: 0)
    return .wait(backoff.pause(attempt: shortLives, random: random))
  }

  mutating func waited(random: Double) -> Step {
    if candidates.isEmpty { unasked = Self.unique(Self.rotated(configured, random: random) + successors) }
    return nextStep(random: random)
  }

  private mutating func ended(_ end: StreamEnd, random: Double) -> Step {
    lastProblem = end.text
    switch end.verdict {
    case .takenOver where !comesBackWhenTakenOver: return .end(.takenOver)
    case .refused: return .end(.refused(end.text))
    case .takenOver, .tryAgain:
      candidates = Self.unique(end.endpoints + candidates)
      return nextStep(random: random)
    }
  }

  private mutating func nextStep(random: Double) -> Step {
    if !candidates.isEmpty { return .connect(to: candidates.removeFirst()) }
    if !unasked.isEmpty {
      let endpoint = unasked.removeFirst()
      return asksForOwner ? .locate(via: endpoint) : .connect(to: endpoint)
    }
    failedRounds += 1
    if let maximumAttempts, failedRounds >= maximumAttempts { return .end(.gaveUp(lastProblem)) }
    return .wait(backoff.pause(attempt: failedRounds - 1, random: random))
  }

  private static func rotated(_ endpoints: [String], random: Double) -> [String] {
    guard !endpoints.isEmpty else { return [] }
    let first = min(Int(random * Double(endpoints.count)), endpoints.count - 1)
    return Array(endpoints[first...] + endpoints[..<first])
  }

  private static func unique(_ endpoints: [String]) -> [String] {
    var seen: Set<String> = []
    // Bounded: a pod's answer is not to be trusted with the length of our list.
    return endpoints.filter { !$0.isEmpty && seen.insert($0).inserted }.prefix(16).map { $0 }
  }
}
