/// What is left of a line.
struct ScenarioWords {
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
    case "order":
      let name = try pod(of: pods)
      return .order(name, try order())
    case "capacity":
      let name = try pod(of: pods)
      return .capacity(name, try number(1...100))
    case "die-before-welcome": return .dieBeforeWelcome(try pod(of: pods))
    case "client":
      let (user, session) = try session()
      let name = try next()
      guard let mobility = Client.Mobility(rawValue: name) else {
        let names = Client.Mobility.allCases.map(\.rawValue).joined(separator: ", ")
        throw mistake("\"\(name)\" is none of: \(names)")
      }
      return .client(user: user, session: session, mobility)
    case "expect":
      let (user, session) = try session()
      return .expect(user: user, session: session, try pod(of: pods))
    case "cut": return .cut(try place(of: pods), try place(of: pods))
    case "cut-one-way": return .cutOneWay(try place(of: pods), try place(of: pods))
    case "drain-slowly": return .drainSlowly(try pod(of: pods))
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

  private mutating func order() throws(Scenario.Mistake) -> Scenario.Order {
    switch try next() {
    case "cordon": .state(.cordoned)
    case "empty": .state(.emptied)
    case "uncordon": .state(.active)
    case "weight": .weight(try number(1...100))
    case let word: throw mistake("\"\(word)\" is none of: cordon, empty, uncordon, weight N")
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
