import HashRing
import Placement
import Sessions

/// Everything that takes part in one run, and the virtual time in which it does.
final class World {
  private(set) var now = Duration.zero
  private(set) var steps = 0
  private var queue = EventQueue()
  var random: SeededGenerator
  let timing: Timing
  let without: Set<BrokenRule>
  let story: Story
  var network = Network()
  let server: RegistryServer
  var pods: [Pod] = []
  /// All that ever ran.
  var processes: [MemberProcess] = []
  var clients: [Client] = []
  var senders: [SimulatedSender] = []
  let users: [User]
  let checker = Checker()
  var pushes = 0
  /// How many clients connect anywhere, and not to their user's owner.
  var strayShare = 0.0
  var lastStream: UInt64 = 0
  /// How many of the moves that a pod has just registered end with its death.
  var deathsBeforeWelcome = 0.0
  /// A new process at an address: only chance decides the rate of its clock.
  var clockSpread = 4_000

  init(seed: UInt64, timing: Timing, without: Set<BrokenRule>, users: [String], story: Story, keepsEarlier: Int) {
    random = SeededGenerator(seed: seed)
    self.timing = timing
    self.without = without
    self.story = story
    self.users = users.map(User.init)
    server = RegistryServer(SimulatedRegistry(timing: timing, without: without), keepsEarlier: keepsEarlier)
  }

  /// Who takes part, and what is planned, refer to one another and would stay for ever.
  func discard() {
    queue = EventQueue()
    server.stop()
    for process in processes {
      process.kill()
      process.streams = [:]
      process.pod.process = nil
    }
    for client in clients { client.discard() }
    for sender in senders { sender.kill() }
    (processes, pods, clients, senders) = ([], [], [], [])
  }

  // MARK: Time

  func at(_ delay: Duration, unless: Once? = nil, _ action: @escaping () -> Void) {
    queue.add(at: now + delay, unless: unless, action)
  }

  func at(_ delay: Duration, for actor: Actor, unless: Once? = nil, _ action: @escaping () -> Void) {
    queue.add(at: now + delay, unless: unless) { actor.run(action) }
  }

  /// Runs what is due next, unless that is after `end`.
  /// - Returns: false when nothing is left before `end`; then it is `end`.
  func step(until end: Duration) -> Bool {
    while let time = queue.nextTime, time <= end, let event = queue.popFirst() {
      if event.unless?.isDone == true { continue }
      now = time
      story.now = now
      event.action()
      steps += 1
      checker.afterStep(self)
      return true
    }
    now = end
    story.now = now
    return false
  }

  func tell(_ text: @autoclosure () -> String) { story.tell(text) }

  // MARK: Calls

  enum Outcome<Reply> {
    case answered(Reply)
    /// Nobody listens at the address.
    case refused
    case silent
  }

  /// A request and its response. A response that comes after the time-out is thrown away; the request may be served all the
  /// same, and late.
  func callPod<Reply>(
    from actor: Actor, to pod: Int, timeout: Duration, mayDouble: Bool = false,
    serve: @escaping (MemberProcess) -> Reply, then: @escaping (Outcome<Reply>) -> Void
  ) {
    callPod(from: actor, to: pod, timeout: timeout, mayDouble: mayDouble, serve: { $1(serve($0)) }, then: then)
  }

  /// The pod may answer later.
  func callPod<Reply>(
    from actor: Actor, to pod: Int, timeout: Duration, mayDouble: Bool = false,
    serve: @escaping (MemberProcess, @escaping (Reply) -> Void) -> Void, then: @escaping (Outcome<Reply>) -> Void
  ) {
    let end = Once()
    let target = Place.pod(pod)
    at(timeout, for: actor, unless: end) { if end.first() { then(.silent) } }
    func send() {
      guard let transit = network.transit(actor.place, target, &random) else { return }
      at(transit) { [self] in
        guard let process = pods[pod].process else {
          guard let back = network.transit(target, actor.place, &random) else { return }
          return at(back, for: actor, unless: end) { if end.first() { then(.refused) } }
        }
        process.run { [self] in
          serve(process) { [self] reply in
            guard let back = network.transit(target, actor.place, &random) else { return }
            at(back, for: actor, unless: end) { if end.first() { then(.answered(reply)) } }
          }
        }
      }
    }
    send()
    if mayDouble, random.chance(network.weather.doubledShare) { send() }
  }

  /// Nil: the registry did not answer in time.
  func callRegistry<Reply>(
    from actor: Actor, _ serve: @escaping (inout SimulatedRegistry) -> Reply, then: @escaping (Reply?) -> Void
  ) {
    let end = Once()
    at(timing.registryTimeout, for: actor, unless: end) { if end.first() { then(nil) } }
    guard let transit = network.transit(actor.place, .registry, &random) else { return }
    at(transit) { [self] in
      if server.condition == .stopped {
        guard let back = network.transit(.registry, actor.place, &random) else { return }
        return at(back, for: actor, unless: end) { if end.first() { then(nil) } }
      }
      server.serve { [self] in
        let reply = inRegistry(serve)
        guard let back = network.transit(.registry, actor.place, &random) else { return }
        at(back, for: actor, unless: end) { if end.first() { then(reply) } }
      }
    }
  }

  func inRegistry<Reply>(_ serve: (inout SimulatedRegistry) -> Reply) -> Reply {
    server.note()
    server.registry.now = now
    let reply = serve(&server.registry)
    if !server.registry.happenings.isEmpty {
      let happenings = server.registry.happenings
      server.registry.happenings = []
      for happening in happenings { checker.noted(happening, self) }
    }
    if !server.registry.announcements.isEmpty {
      let announcements = server.registry.announcements
      server.registry.announcements = []
      for announcement in announcements { announce(announcement) }
    }
    if !server.registry.takeoverHints.isEmpty {
      let hints = server.registry.takeoverHints
      server.registry.takeoverHints = []
      for hint in hints { tellOfTakeover(hint) }
    }
    return reply
  }

  private func tellOfTakeover(_ incarnation: Incarnation) {
    for pod in pods {
      guard let process = pod.process, process.incarnation == incarnation,
        let transit = network.transit(.registry, process.place, &random)
      else { continue }
      at(transit, for: process) { process.takeTakeovers() }
    }
  }

  private func announce(_ announcement: SimulatedRegistry.Announcement) {
    func send(to actor: Actor, _ follower: Follower) {
      guard let transit = network.transit(.registry, actor.place, &random) else { return }
      at(transit, for: actor) { follower.announced(announcement) }
    }
    for pod in pods { if let process = pod.process { send(to: process, process.follower) } }
    for sender in senders { send(to: sender, sender.follower) }
  }

  /// A membership script. Whoever is told that changes wait to be published sees to a call by then.
  func callMembership<Value>(
    from actor: Actor, publishes: Bool = true,
    _ serve: @escaping (inout SimulatedRegistry) -> SimulatedRegistry.Reply<Value>, then: @escaping (Value?) -> Void
  ) {
    callRegistry(from: actor, serve) { [self] reply in
      if let wait = reply?.wait, wait > .zero, publishes { publishLater(wait, from: actor) }
      then(reply?.value)
    }
  }

  private func publishLater(_ wait: Duration, from actor: Actor) {
    at(wait, for: actor) { [self] in
      callRegistry(from: actor, { $0.readWindow().wait }) { [self] left in
        if let left, left > .zero { publishLater(left, from: actor) }
      }
    }
  }

  // MARK: Processes

  func pause(_ actor: Actor) {
    guard actor.isAlive, !actor.isPaused else { return }
    tell("\(actor.name) is stopped (SIGSTOP)")
    actor.pause()
    guard let process = actor as? MemberProcess else { return }
    let pause = actor.pauses
    at(timing.keepAlive) { [self] in
      guard process.isPaused, process.pauses == pause else { return }
      for client in clients { client.connectionsBroke(to: process) }
    }
  }

  func goOn(_ actor: Actor) {
    guard actor.isAlive, actor.isPaused else { return }
    tell("\(actor.name) goes on (SIGCONT)")
    for action in actor.resume() { at(random.duration(.zero ... .milliseconds(3)), for: actor, action) }
  }

  func clockRate() -> Int { 1_000_000 - clockSpread + random.below(2 * clockSpread + 1) }
}

/// Whom sessions belong to.
struct User {
  let id: UserID
  let hash: UInt64

  init(_ name: String) {
    do { id = try UserID(name) } catch { fatalError("\(error)") }
    hash = keyHash(name.utf8)
  }
}

/// An address, and the process that listens there.
final class Pod {
  let index: Int
  let description: MemberDescription
  var process: MemberProcess?
  var starts = 0
  /// Streams at which it is full; 0: no limit.
  var capacity = 0

  init(index: Int, podID: String) {
    self.index = index
    description = MemberDescription(podID: podID, endpoint: "\(index):1", peerEndpoint: "\(index):2")
  }
}

extension Member {
  /// The index of its pod.
  var address: Int { Int(description.peerEndpoint.prefix { $0 != ":" }) ?? 0 }
}
