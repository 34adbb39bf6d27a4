import Placement

/// A story in text: what is done to a cluster, when, and what is expected of it. One command a line; `#` begins a comment.
///
///     pods 3                          pod-1 to pod-3 start at 0 s (must come first)
///     breaks-without RULE             the story has to end in a violation when that rule is left out
///     short-recovery-wait             the default wait after a loss of data, instead of lease and grace
///     at TIME COMMAND                 TIME is `12s` or `250ms`, from the start, never before the line above
///     end TIME                        all faults end; then the cluster has to settle (must come last)
///
/// Commands; a POD is `pod-2`, `owner:USER` or `other:USER` (some pod that is not the owner), judged when it is done:
///
///     connect USER/SESSION POD        a client opens the session there, or moves it there
///     close USER/SESSION
///     start POD | kill POD | pause POD | continue POD | drain POD | drain-slowly POD
///     cut PLACE PLACE | cut-one-way FROM TO | mend PLACE PLACE      a PLACE is a POD, `registry` or `sender`
///     registry stop | hang | go-on | empty | replace | fail-over N
///     push USER complete|unknown N    a push has to end so, and to reach N streams
///     order POD cordon | empty | uncordon | weight N
///     capacity POD N                  its processes that start later are full at N streams
///     die-before-welcome POD          it is killed when it has registered the next session that moves there
///     client USER/SESSION moves | cannot-move | never-reacts | dies-moving
///     expect USER/SESSION POD         the session has one stream, and there
public struct Scenario: Sendable {
  enum Command: Equatable, Sendable {
    case connect(user: String, session: String, PodName)
    case close(user: String, session: String)
    case start(PodName), kill(PodName), pause(PodName), goOn(PodName), drain(PodName), drainSlowly(PodName)
    case cut(PlaceName, PlaceName), cutOneWay(PlaceName, PlaceName), mend(PlaceName, PlaceName)
    case stopRegistry, hangRegistry, startRegistry, emptyRegistry, replaceRegistry
    case failOver(losing: Int)
    case push(user: String, isComplete: Bool, reaches: Int)
    case order(PodName, Order)
    case capacity(PodName, Int)
    case dieBeforeWelcome(PodName)
    case client(user: String, session: String, Client.Mobility)
    case expect(user: String, session: String, PodName)
  }

  enum Order: Equatable, Sendable {
    case state(PodOrder.State)
    case weight(Int)
  }

  enum PodName: Equatable, Sendable {
    case number(Int)
    case owner(of: String)
    case other(than: String)
  }

  enum PlaceName: Equatable, Sendable {
    case pod(PodName)
    case registry
    case sender
  }

  struct Step: Equatable, Sendable {
    let line: Int
    let time: Duration
    let command: Command
  }

  private(set) var pods = 0
  private(set) var steps: [Step] = []
  private(set) var end = Duration.zero
  public private(set) var breaksWithout: [BrokenRule] = []
  public private(set) var hasLongRecoveryWait = true

  /// What a line says that is no line of a scenario.
  public struct Mistake: Error, CustomStringConvertible {
    public let line: Int
    public let message: String
    public var description: String { "line \(line): \(message)" }
  }

  public init(_ text: String) throws(Mistake) {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let code = line.prefix { $0 != "#" }
      var words = ScenarioWords(line: index + 1, words: code.split { $0 == " " || $0 == "\t" }.map(String.init)[...])
      guard !words.isEmpty else { continue }
      try add(&words)
      guard words.isEmpty else { throw words.mistake("nothing may follow here") }
    }
    guard pods > 0 else { throw Mistake(line: 1, message: "\"pods N\" is missing") }
    guard end > .zero else { throw Mistake(line: 1, message: "\"end TIME\" is missing") }
  }

  /// In the order in which they are first named.
  var users: [String] {
    var names: [String] = []
    for step in steps { for name in step.command.users where !names.contains(name) { names.append(name) } }
    return names
  }

  private mutating func add(_ words: inout ScenarioWords) throws(Mistake) {
    guard end == .zero else { throw words.mistake("\"end\" must be the last line") }
    switch try words.next() {
    case "pods":
      guard pods == 0, steps.isEmpty else { throw words.mistake("\"pods\" must come once, and first") }
      pods = try words.number(1...6)
    case "breaks-without":
      let name = try words.next()
      guard let rule = BrokenRule(rawValue: name) else { throw words.mistake("\"\(name)\" is no rule") }
      breaksWithout.append(rule)
    case "short-recovery-wait": hasLongRecoveryWait = false
    case "at":
      guard pods > 0 else { throw words.mistake("\"pods N\" must come first") }
      let time = try timeInOrder(&words)
      steps.append(Step(line: words.line, time: time, command: try words.command(pods: pods)))
    case "end": end = try timeInOrder(&words)
    case let word: throw words.mistake("\"\(word)\" is none of: pods, breaks-without, short-recovery-wait, at, end")
    }
  }

  private func timeInOrder(_ words: inout ScenarioWords) throws(Mistake) -> Duration {
    let time = try words.time()
    guard time >= steps.last?.time ?? .zero else { throw words.mistake("this time lies before the line above") }
    return time
  }
}

extension Scenario.Command {
  fileprivate var users: [String] {
    switch self {
    case .connect(let user, _, let pod): [user] + pod.users
    case .close(let user, _), .push(let user, _, _), .client(let user, _, _): [user]
    case .expect(let user, _, let pod): [user] + pod.users
    case .start(let pod), .kill(let pod), .pause(let pod), .goOn(let pod), .drain(let pod), .drainSlowly(let pod),
      .order(let pod, _),
      .capacity(let pod, _), .dieBeforeWelcome(let pod):
      pod.users
    case .cut(let from, let to), .cutOneWay(let from, let to), .mend(let from, let to): from.users + to.users
    default: []
    }
  }
}

extension Scenario.PodName {
  fileprivate var users: [String] {
    switch self {
    case .number: []
    case .owner(let user), .other(let user): [user]
    }
  }
}

extension Scenario.PlaceName {
  fileprivate var users: [String] { if case .pod(let pod) = self { pod.users } else { [] } }
}
