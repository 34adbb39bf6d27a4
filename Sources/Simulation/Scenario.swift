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
///     start POD | kill POD | pause POD | continue POD | drain POD
///     cut PLACE PLACE | mend PLACE PLACE      a PLACE is a POD, `registry` or `sender`
///     registry stop | hang | go-on | empty | replace | fail-over N
///     push USER complete|unknown N    a push has to end so, and to reach N streams
public struct Scenario: Sendable {
  enum Command: Equatable, Sendable {
    case connect(user: String, session: String, PodName)
    case close(user: String, session: String)
    case start(PodName), kill(PodName), pause(PodName), goOn(PodName), drain(PodName)
    case cut(PlaceName, PlaceName), mend(PlaceName, PlaceName)
    case stopRegistry, hangRegistry, startRegistry, emptyRegistry, replaceRegistry
    case failOver(losing: Int)
    case push(user: String, isComplete: Bool, reaches: Int)
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
      var words = Words(line: index + 1, words: code.split { $0 == " " || $0 == "\t" }.map(String.init)[...])
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

  private mutating func add(_ words: inout Words) throws(Mistake) {
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

  private func timeInOrder(_ words: inout Words) throws(Mistake) -> Duration {
    let time = try words.time()
    guard time >= steps.last?.time ?? .zero else { throw words.mistake("this time lies before the line above") }
    return time
  }
}

extension Scenario.Command {
  fileprivate var users: [String] {
    switch self {
    case .connect(let user, _, let pod): [user] + pod.users
    case .close(let user, _), .push(let user, _, _): [user]
    case .start(let pod), .kill(let pod), .pause(let pod), .goOn(let pod), .drain(let pod): pod.users
    case .cut(let from, let to), .mend(let from, let to): from.users + to.users
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

/// What is left of a line.
private struct Words {
  let line: Int
  var words: ArraySlice<String>

  var isEmpty: Bool { words.isEmpty }

  func mistake(_ message: String) -> Scenario.Mistake { Scenario.Mistake(line: line, message: message) }

  mutating func next() throws(Scenario.Mistake) -> String {
    guard let word = words.popFirst() else { throw mistake("something is missing at the end") }
    return word
  }

  mutating func number(_ range: ClosedRange<Int>) throws(Scenario.Mistake) -> Int {
    let word = try next()
    guard let number = Int(word), range.contains(number) else {
      throw mistake("\"\(word)\" is no number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  mutating func time() throws(Scenario.Mistake) -> Duration {
    let word = try next()
    let isInMilliseconds = word.hasSuffix("ms")
    guard word.hasSuffix("s"), let number = Int(word.dropLast(isInMilliseconds ? 2 : 1)),
      (1...3_600_000).contains(number)
    else { throw mistake("\"\(word)\" is no time such as 12s or 250ms") }
    return isInMilliseconds ? .milliseconds(number) : .seconds(number)
  }

  mutating func pod(of pods: Int) throws(Scenario.Mistake) -> Scenario.PodName {
    let word = try next()
    if word.hasPrefix("owner:") { return .owner(of: String(word.dropFirst(6))) }
    if word.hasPrefix("other:") { return .other(than: String(word.dropFirst(6))) }
    guard word.hasPrefix("pod-"), let number = Int(word.dropFirst(4)), (1...pods).contains(number) else {
      throw mistake("\"\(word)\" is none of: pod-1 to pod-\(pods), owner:USER, other:USER")
    }
    return .number(number)
  }

  mutating func place(of pods: Int) throws(Scenario.Mistake) -> Scenario.PlaceName {
    switch words.first {
    case "registry":
      words.removeFirst()
      return .registry
    case "sender":
      words.removeFirst()
      return .sender
    default: return .pod(try pod(of: pods))
    }
  }

  mutating func session() throws(Scenario.Mistake) -> (user: String, session: String) {
    let word = try next()
    let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { throw mistake("\"\(word)\" is no USER/SESSION") }
    return (parts[0], parts[1])
  }

  mutating func command(pods: Int) throws(Scenario.Mistake) -> Scenario.Command {
    switch try next() {
    case "connect":
      let (user, session) = try session()
      return .connect(user: user, session: session, try pod(of: pods))
    case "close":
      let (user, session) = try session()
      return .close(user: user, session: session)
    case "start": return .start(try pod(of: pods))
    case "kill": return .kill(try pod(of: pods))
    case "pause": return .pause(try pod(of: pods))
    case "continue": return .goOn(try pod(of: pods))
    case "drain": return .drain(try pod(of: pods))
    case "cut": return .cut(try place(of: pods), try place(of: pods))
    case "mend": return .mend(try place(of: pods), try place(of: pods))
    case "registry": return try registryCommand()
    case "push":
      let user = try next()
      let completeness = try next()
      guard ["complete", "unknown"].contains(completeness) else {
        throw mistake("\"\(completeness)\" is neither complete nor unknown")
      }
      return .push(user: user, isComplete: completeness == "complete", reaches: try number(0...100))
    case let word: throw mistake("\"\(word)\" is no command")
    }
  }

  private mutating func registryCommand() throws(Scenario.Mistake) -> Scenario.Command {
    switch try next() {
    case "stop": .stopRegistry
    case "hang": .hangRegistry
    case "go-on": .startRegistry
    case "empty": .emptyRegistry
    case "replace": .replaceRegistry
    case "fail-over": .failOver(losing: try number(0...1_000))
    case let word: throw mistake("\"\(word)\" is nothing that a registry does")
    }
  }
}
