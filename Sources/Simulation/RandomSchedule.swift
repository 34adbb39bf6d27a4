import Placement
import Sessions

/// Faults and traffic by chance. Each run draws which faults it has at all and how often, so that runs differ in kind
/// and rare combinations are not drowned by frequent ones.
final class RandomSchedule {
  private let world: World
  private let options: SimulationOptions
  private let faults: [Fault]
  private let pauseBetweenFaults: ClosedRange<Duration>
  private let pauseBetweenActions: ClosedRange<Duration>
  private var isOver = false
  private var capacity = 0

  enum Fault: CaseIterable {
    case crash, pauseShortly, pausePastLease, pausePastGrace, drain, scaleOut
    case cutFromRegistry, cutFromPeer, cutFromAll, cutSender, pauseSender
    case stopRegistry, hangRegistry, failOver, flush, replace
    case weather
    case cordon, empty, weigh, uncordon, dieBeforeWelcome
  }

  /// What a run is made of, before its first step.
  static func world(seed: UInt64, options: SimulationOptions, story: Story) -> World {
    var timing = Timing()
    if !options.hasLongRecoveryWait {
      timing.recoveryWait = timing.lease + timing.renewalInterval * 2
    }
    let names = ["ann", "bob", "cleo", "dan", "eve"]
    let world = World(
      seed: seed, timing: timing, without: options.without, users: names, story: story, keepsEarlier: 60)
    return world
  }

  init(_ world: World, _ options: SimulationOptions) {
    self.world = world
    self.options = options
    let count = 1 + world.random.below(6)
    faults = (0..<count).map { _ in Fault.allCases[world.random.below(Fault.allCases.count)] }
    let between = world.random.pick([Duration.milliseconds(300), .seconds(1), .seconds(3)]) ?? .seconds(1)
    pauseBetweenFaults = between / 4...between * 2
    let actions = world.random.pick([Duration.milliseconds(30), .milliseconds(100), .milliseconds(250)]) ?? .zero
    pauseBetweenActions = .zero...actions * 2
    world.strayShare = world.random.pick([0.0, 0.1, 0.3, 0.6]) ?? 0
    let pods = 2 + world.random.below(3)
    for number in 1...pods { world.addPod("pod-\(number)") }
    for user in world.users {
      for number in 1...(1 + world.random.below(3)) {
        let client = Client(world, user, session: "s\(number)")
        if world.random.chance(0.3) { client.mobility = world.random.pick(Client.Mobility.allCases) ?? .moves }
        world.clients.append(client)
      }
    }
    limitPods()
    for index in 0..<2 { world.senders.append(SimulatedSender(world, index: index)) }
  }

  /// In one run of four pods can be full.
  private func limitPods() {
    guard world.random.chance(0.25) else { return }
    capacity = world.clients.count / world.pods.count + world.random.below(4)
    for pod in world.pods { pod.capacity = capacity }
  }

  func start() {
    for pod in world.pods {
      world.at(world.random.duration(.zero ... .milliseconds(300))) { [world] in world.start(pod) }
    }
    // The first members of a new registry admit nobody for a lease.
    world.at(world.timing.lease) { [self] in act() }
    world.at(world.timing.lease + world.random.duration(.zero ... .seconds(8))) { [self] in strike() }
  }

  func end() {
    isOver = true
    world.mendAll()
  }

  // MARK: Traffic

  private func act() {
    guard !isOver else { return }
    world.at(world.random.duration(pauseBetweenActions)) { [self] in act() }
    guard let client = world.random.pick(world.clients) else { return }
    switch world.random.below(10) {
    case 0...4: world.random.pick(world.senders)?.push(to: client.user)
    case 5, 6:
      guard !client.wantsSession else { return }
      let isStray = world.random.chance(world.strayShare)
      client.connect(to: world.placeToConnect(client.user, isStray: isStray, besides: nil))
    case 7: if client.wantsSession, world.random.chance(0.5) { client.end() }
    case 8:
      guard client.wantsSession, let stream = client.streams.first, stream.isOpen else { return }
      let isStray = world.random.chance(world.strayShare)
      client.connect(to: world.placeToConnect(client.user, isStray: isStray, besides: stream.process.pod.index))
    default: break
    }
  }

  // MARK: Faults

  private func strike() {
    guard !isOver else { return }
    world.at(world.random.duration(pauseBetweenFaults)) { [self] in strike() }
    if let fault = world.random.pick(faults) { perform(fault) }
  }

  /// Something ends later, unless everything was mended meanwhile.
  private func later(_ range: ClosedRange<Duration>, _ action: @escaping () -> Void) {
    world.at(world.random.duration(range)) { [self] in if !isOver { action() } }
  }

  private func perform(_ fault: Fault) {
    let timing = world.timing
    let pod = world.random.pick(world.pods)
    let short = Duration.milliseconds(50)...timing.lease
    let long = timing.lease...timing.lease + timing.grace * 2
    switch fault {
    case .crash:
      guard let pod else { return }
      world.crash(pod)
      later(.milliseconds(20)...timing.lease * 4) { [world] in world.start(pod) }
    case .pauseShortly: pause(pod?.process, .milliseconds(50) ... .seconds(2))
    case .pausePastLease: pause(pod?.process, timing.lease...timing.lease * 2)
    case .pausePastGrace: pause(pod?.process, timing.lease + timing.grace...(timing.lease + timing.grace) * 2)
    case .drain:
      guard let pod, let process = pod.process else { return }
      process.leave(deadline: world.random.duration(.milliseconds(500) ... .seconds(3)))
      later(.seconds(1) ... .seconds(12)) { [world] in world.start(pod) }
    case .scaleOut:
      guard world.pods.count < 6 else { return }
      // Now and then a pod id that is taken: two processes of one pod are two members.
      world.addPod(world.random.chance(0.2) ? "pod-1" : "pod-\(world.pods.count + 1)")
      guard let added = world.pods.last else { return }
      added.capacity = capacity
      world.start(added)
    case .cutFromRegistry: if let pod { cut(.pod(pod.index), .registry, world.random.chance(0.3) ? long : short) }
    case .cutFromPeer:
      guard let pod, let other = world.random.pick(world.pods), other !== pod else { return }
      cut(.pod(pod.index), .pod(other.index), world.random.chance(0.3) ? long : short)
    case .cutFromAll:
      guard let pod else { return }
      let range = world.random.chance(0.3) ? long : short
      cut(.pod(pod.index), .registry, range)
      for other in world.pods where other !== pod { cut(.pod(pod.index), .pod(other.index), range) }
    case .cutSender:
      guard let sender = world.random.pick(world.senders) else { return }
      cut(sender.place, world.random.chance(0.5) ? .registry : .pod(pod?.index ?? 0), short)
    case .pauseSender: pause(world.random.pick(world.senders), .milliseconds(50)...timing.lease * 2)
    case .stopRegistry:
      world.stopRegistry()
      later(world.random.chance(0.3) ? long : short) { [world] in world.startRegistry() }
    case .hangRegistry:
      world.hangRegistry()
      later(world.random.chance(0.3) ? long : short) { [world] in world.startRegistry() }
    case .failOver: world.failOverRegistry(losing: world.random.below(50))
    case .flush: world.flushRegistry()
    case .replace: world.replaceRegistry()
    case .weather: changeWeather()
    case .cordon: order { $0.state = .cordoned }
    case .empty: order { $0.state = .emptied }
    case .uncordon: order { $0.state = .active }
    case .weigh:
      let weight = 1 + world.random.below(4)
      order { $0.weight = weight }
    case .dieBeforeWelcome:
      world.deathsBeforeWelcome = 0.5
      later(.milliseconds(500) ... .seconds(8)) { [world] in
        world.deathsBeforeWelcome = 0
        for pod in world.pods { world.start(pod) }
      }
    }
  }

  private func order(_ change: @escaping (inout PodOrder) -> Void) {
    if let pod = world.random.pick(world.pods) { world.order(pod.description.podID, change) }
  }

  private func pause(_ actor: Actor?, _ range: ClosedRange<Duration>) {
    guard let actor, !actor.isPaused else { return }
    world.pause(actor)
    let pause = actor.pauses
    later(range) { [world] in if actor.pauses == pause { world.goOn(actor) } }
  }

  private func cut(_ from: Place, _ to: Place, _ range: ClosedRange<Duration>) {
    let isOneWay = world.random.chance(0.3)
    let (from, to) = isOneWay && world.random.chance(0.5) ? (to, from) : (from, to)
    world.cut(from, to, isOneWay: isOneWay)
    later(range) { [world] in world.mend(from, to, isOneWay: isOneWay) }
  }

  private func changeWeather() {
    var weather = Network.Weather.fair
    weather.delays =
      .microseconds(200)...(world.random.pick([.milliseconds(2), .milliseconds(30), .milliseconds(200)]) ?? .zero)
    weather.lateShare = world.random.pick([0, 0.02, 0.1]) ?? 0
    weather.lostShare = world.random.pick([0, 0.01, 0.05, 0.2]) ?? 0
    weather.doubledShare = world.random.pick([0, 0.05, 0.2]) ?? 0
    world.tell("the network is worse: delays to \(weather.delays.upperBound.text), \(weather.lostShare) lost")
    world.network.weather = weather
    later(.milliseconds(500) ... .seconds(8)) { [world] in world.network.weather = .fair }
  }
}
