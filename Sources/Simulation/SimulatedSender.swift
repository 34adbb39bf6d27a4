import Placement
import Routing
import Sessions

/// One push, and which streams it has reached.
final class Push {
  let number: Int
  let user: User
  let started: Duration
  /// Open when it started: those that stay open have to be reached.
  let openAtStart: [StreamTrace]
  var reached: Set<StreamID> = []
  var route: PushRoute
  var result: RouteResult?
  let then: (Push) -> Void

  init(
    _ number: Int, _ user: User, _ started: Duration, openAtStart: [StreamTrace], _ window: Window,
    then: @escaping (Push) -> Void
  ) {
    self.number = number
    self.user = user
    self.started = started
    self.openAtStart = openAtStart
    self.then = then
    route = PushRoute(RouteRequest(userHash: user.hash, window: window))
  }
}

/// A Sender: the real `PushRoute`, in a shell that re-enacts `PushRun` and `Sender`.
final class SimulatedSender: Actor {
  unowned let world: World
  private(set) lazy var follower = Follower(world, self)

  init(_ world: World, index: Int) {
    self.world = world
    super.init(
      name: "sender-\(index + 1)", place: .sender(index), clockRate: world.clockRate(),
      clockStart: world.random.duration(.zero ... .seconds(100)))
    follower.start()
  }

  /// A claim counts only while the view was confirmed less than a lease ago.
  private var isViewFresh: Bool {
    follower.confirmedAt.map { localTime(world.now) - $0 < world.timing.lease } ?? false
  }

  func push(to user: User, then: @escaping (Push) -> Void = { _ in }) {
    guard let window = follower.window else { return }
    world.pushes += 1
    let push = Push(
      world.pushes, user, world.now, openAtStart: world.checker.openStreams(of: user.hash), window, then: then)
    world.tell("push \(push.number) to \(user.id) starts at \(name)")
    let end = Once()
    world.at(world.timing.pushTimeout, for: self, unless: end) { [self] in handle(.deadline, push, end) }
    world.at(world.timing.pushTimeout / 3, for: self, unless: end) { [self] in handle(.ownerIsLate, push, end) }
    perform(push.route.start(), push, end)
  }

  private func handle(_ event: RouteEvent, _ push: Push, _ end: Once) {
    guard !end.isDone else { return }
    perform(push.route.handle(event), push, end)
  }

  private func perform(_ directives: [RouteDirective], _ push: Push, _ end: Once) {
    for directive in directives {
      switch directive {
      case .deliver(let id, let member, let targets): deliver(id, member, targets, push, end)
      case .readRecords:
        let trustsAll = world.without.contains(.recoveringRecords)
        let read = { (registry: inout SimulatedRegistry) -> [SessionRecord]? in
          registry.isRecovering && !trustsAll ? nil : registry.recordsForSenders(of: push.user.id)
        }
        world.callRegistry(from: self, read) { [self] answer in
          let records = answer ?? nil
          world.tell("push \(push.number): \(records.map { "\($0.count) records" } ?? "no answer from the registry")")
          handle(records.map { .recordsRead($0) } ?? .recordsFailed("the registry does not answer"), push, end)
        }
      case .refreshView:
        follower.refresh { [self] window in handle(.viewRefreshed(window ?? nil), push, end) }
      case .finish(let result):
        guard end.first() else { return }
        push.result = result
        world.tell(
          """
          push \(push.number) ends: \(result.route.rawValue), \(result.completeness.rawValue), \
          \(result.deliverRPCs) calls, \(result.registryReads) reads, \(push.reached.count) streams reached \(result.reason)
          """)
        world.checker.pushed(push, world)
        push.then(push)
      }
    }
  }

  private func deliver(_ id: CallID, _ member: Member, _ targets: CallTargets, _ push: Push, _ end: Once) {
    let stamps = follower.window?.stamps ?? .none
    world.callPod(
      from: self, to: member.address, timeout: world.timing.pushTimeout,
      serve: { $0.deliver(push, targets, stamps, asked: member.incarnation, answer: $1) }
    ) { [self] outcome in
      switch outcome {
      case .answered(var answer):
        if let window = follower.window, answer.stamps.current.version > window.current.stamp.version {
          follower.refresh()
        }
        answer.viewIsFresh = isViewFresh
        handle(.answered(id, answer), push, end)
      case .refused: handle(.callFailed(id, failure("refused", mayHaveArrived: false)), push, end)
      case .silent: handle(.callFailed(id, failure("silent", mayHaveArrived: true)), push, end)
      }
    }
  }

  private func failure(_ detail: String, mayHaveArrived: Bool) -> CallFailure {
    CallFailure(kind: .unreachable, mayHaveArrived: mayHaveArrived, detail: detail)
  }
}
