import Placement
import Routing
import Sessions

/// Performs a scenario's commands on a world.
final class ScenarioRun {
  private let world: World
  private let scenario: Scenario
  /// Lines of pushes that have not ended.
  private var openPushes: Set<Int> = []

  static func world(_ scenario: Scenario, without: Set<BrokenRule>, story: Story) -> World {
    var timing = Timing()
    if !scenario.hasLongRecoveryWait { timing.recoveryWait = timing.lease + timing.renewalInterval * 2 }
    return World(seed: 1, timing: timing, without: without, users: scenario.users, story: story, keepsEarlier: 60)
  }

  init(_ world: World, _ scenario: Scenario) {
    self.world = world
    self.scenario = scenario
    for number in 1...scenario.pods { world.addPod("pod-\(number)") }
    world.senders.append(SimulatedSender(world, index: 0))
  }

  func run() {
    for pod in world.pods { world.at(.milliseconds(1)) { [world] in world.start(pod) } }
    for step in scenario.steps {
      if case .push = step.command { openPushes.insert(step.line) }
      world.at(step.time) { [self] in
        do { try perform(step) } catch {
          world.checker.fail(.expectation, world, "\(error)")
        }
      }
    }
    while world.checker.violation == nil, world.step(until: scenario.end) {}
    if world.checker.violation == nil, let line = openPushes.min() {
      world.checker.fail(.expectation, world, "line \(line): the push has not ended")
    }
    guard world.checker.violation == nil else { return }
    world.mendAll()
    Recovery(world).run()
  }

  private func perform(_ step: Scenario.Step) throws(Scenario.Mistake) {
    func pod(_ name: Scenario.PodName) throws(Scenario.Mistake) -> Pod {
      switch name {
      case .number(let number): return world.pods[number - 1]
      case .owner(let name):
        if let owner = world.owner(of: try user(name, step)) { return owner }
        throw Scenario.Mistake(line: step.line, message: "\(name) has no owner that runs")
      case .other(let name):
        let owner = world.owner(of: try user(name, step))
        if let other = world.livePods.first(where: { $0 !== owner }) { return other }
        throw Scenario.Mistake(line: step.line, message: "no pod runs that is not the owner of \(name)")
      }
    }
    func place(_ name: Scenario.PlaceName) throws(Scenario.Mistake) -> Place {
      switch name {
      case .pod(let name): .pod(try pod(name).index)
      case .registry: .registry
      case .sender: .sender(0)
      }
    }
    switch step.command {
    case .connect(let userName, let session, let podName):
      client(try user(userName, step), session).connect(to: try pod(podName).index)
    case .close(let userName, let session): client(try user(userName, step), session).end()
    case .start(let name): world.start(try pod(name))
    case .kill(let name): world.crash(try pod(name))
    case .pause(let name): if let process = try pod(name).process { world.pause(process) }
    case .goOn(let name): if let process = try pod(name).process { world.goOn(process) }
    case .drain(let name): try pod(name).process?.leave(deadline: .seconds(2))
    case .cut(let from, let to): world.cut(try place(from), try place(to))
    case .cutOneWay(let from, let to): world.cut(try place(from), try place(to), isOneWay: true)
    case .mend(let from, let to): world.mend(try place(from), try place(to))
    case .drainSlowly(let name): try pod(name).process?.leave(deadline: .seconds(30))
    case .stopRegistry: world.stopRegistry()
    case .hangRegistry: world.hangRegistry()
    case .startRegistry: world.startRegistry()
    case .emptyRegistry: world.flushRegistry()
    case .replaceRegistry: world.replaceRegistry()
    case .failOver(let count): world.failOverRegistry(losing: count)
    case .order(let name, .state(let state)): world.order(try pod(name).description.podID) { $0.state = state }
    case .order(let name, .weight(let weight)): world.order(try pod(name).description.podID) { $0.weight = weight }
    case .capacity(let name, let capacity): try pod(name).capacity = capacity
    case .dieBeforeWelcome(let name): try pod(name).process?.diesBeforeWelcome = true
    case .client(let userName, let session, let mobility):
      client(try user(userName, step), session).mobility = mobility
    case .expect(let userName, let session, let podName):
      expect(client(try user(userName, step), session), try pod(podName), step.line)
    case .push(let name, let isComplete, let streams):
      push(to: try user(name, step), step.line, isComplete: isComplete, reaches: streams)
    }
  }

  private func user(_ name: String, _ step: Scenario.Step) throws(Scenario.Mistake) -> User {
    if let user = world.users.first(where: { $0.id.text == name }) { return user }
    throw Scenario.Mistake(line: step.line, message: "\"\(name)\" is no user id")
  }

  private func client(_ user: User, _ session: String) -> Client {
    if let known = world.clients.first(where: { $0.user.id == user.id && $0.key.session.text == session }) {
      return known
    }
    let client = Client(world, user, session: session)
    world.clients.append(client)
    return client
  }

  private func expect(_ client: Client, _ pod: Pod, _ line: Int) {
    let places = client.streams.filter(\.isOpen).map(\.process.name)
    guard places == [pod.process?.name] else {
      return world.checker.fail(
        .expectation, world,
        """
        line \(line): \(client.key.user)/\(client.key.session) was to have one stream, on \(pod.description.podID); it has \
        \(places.count): \(places)
        """)
    }
  }

  private func push(to user: User, _ line: Int, isComplete: Bool, reaches streams: Int) {
    world.senders[0].push(to: user) { [self] push in
      openPushes.remove(line)
      guard let result = push.result else { return }
      guard (result.completeness == .complete) == isComplete, push.reached.count == streams else {
        return world.checker.fail(
          .expectation, world,
          """
          line \(line): the push was to be \(isComplete ? "complete" : "unknown") and reach \(streams) streams; it was \
          \(result.completeness.rawValue) and reached \(push.reached.count) \(result.reason)
          """)
      }
    }
  }
}
