internal import Placement
internal import RedisDirectory
internal import Routing
internal import Sessions
internal import Synchronization
internal import Wire

// Carries out what `PushRoute` decides for one push. Events come from the links' tasks, the registry's and the timer;
// each is handled where it arrives, so that a push which the owner completes never changes tasks in between.

final class PushRun: Sendable {
  enum Alarm: Sendable {
    case ownerIsLate
    case deadline
  }

  let push: PreparedPush
  private let links: LinkTable
  private let registry: RegistryReader
  private let isViewFresh: @Sendable () -> Bool
  private let windowSeen: @Sendable (WindowStamps) -> Void
  private let state: Mutex<State>

  private struct State {
    var route: PushRoute
    var calls: [CallID: (link: PodLink, correlation: UInt64)] = [:]
    var result: RouteResult?
    var waiting: CheckedContinuation<RouteResult, Never>?
  }

  init(
    _ push: PreparedPush, window: Window, links: LinkTable, registry: RegistryReader,
    audits: AuditRequest?, isViewFresh: @escaping @Sendable () -> Bool,
    windowSeen: @escaping @Sendable (WindowStamps) -> Void
  ) {
    self.push = push
    self.links = links
    self.registry = registry
    self.isViewFresh = isViewFresh
    self.windowSeen = windowSeen
    var request = RouteRequest(
      strategy: push.strategy, groupsByPod: push.groupsByPod, target: push.target, userHash: push.userHash,
      window: window)
    request.audits = audits
    state = Mutex(State(route: PushRoute(request)))
  }

  var timeout: Duration { push.timeout }
  /// What the owner alone may take of the push's time: the rest is for the other pods.
  var patience: Duration { min(push.timeout / 3, .seconds(1)) }
  /// The view that the push went by.
  var view: ViewStamp { state.withLock { $0.route.newestWindow.current.stamp } }

  /// Call once. When the caller's task is cancelled, the push ends with what is known then.
  func result() async -> RouteResult {
    perform(state.withLock { $0.route.start() })
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let result = state.withLock { state in
          if state.result == nil { state.waiting = continuation }
          return state.result
        }
        if let result { continuation.resume(returning: result) }
      }
    } onCancel: {
      ring(.deadline)
    }
  }

  func ring(_ alarm: Alarm) {
    switch alarm {
    case .ownerIsLate: handle(.ownerIsLate)
    case .deadline: handle(.deadline)
    }
  }

  private func handle(_ event: RouteEvent) {
    perform(state.withLock { $0.route.handle(event) })
  }

  /// A loop, not a recursion: a scatter over a thousand dead pods fails a thousand calls on the spot.
  private func perform(_ directives: [RouteDirective]) {
    var left = directives
    while !left.isEmpty {
      let failures = left.compactMap(perform)
      left = failures.flatMap { event in state.withLock { $0.route.handle(event) } }
    }
  }

  /// Returns the event if the directive failed on the spot.
  private func perform(_ directive: RouteDirective) -> RouteEvent? {
    switch directive {
    case .deliver(let id, let member, let targets): return deliver(id, to: member, targets)
    case .readRecords:
      registry.readRecords(of: push.user) { [self] result in
        switch result {
        case .success(let read) where read.areAll: handle(.recordsRead(read.records))
        case .success:
          handle(
            .recordsFailed("the registry has lost data, and not every pod has registered its sessions again yet"))
        case .failure(let error): handle(.recordsFailed("\(error)"))
        }
      }
    case .refreshView:
      registry.refreshView { [self] result in handle(.viewRefreshed((try? result.get()) ?? nil)) }
    case .finish(let result):
      finish(result)
    }
    return nil
  }

  private func deliver(_ id: CallID, to member: Member, _ targets: CallTargets) -> RouteEvent? {
    let link = links.link(to: member)
    let call = PodCall(message: push.message, user: push.user, targets: targets) { [self] result in
      state.withLock { $0.calls[id] = nil }
      handle(event(id, result))
    }
    // Under the lock, so that an answer on another thread is not overtaken by this note of the call.
    return state.withLock { state in
      switch link.submit(call) {
      case .failed(let failure): return .callFailed(id, failure)
      case .queued(let correlation):
        state.calls[id] = (link, correlation)
        return nil
      }
    }
  }

  private func event(_ id: CallID, _ result: Result<PodAnswer, CallFailure>) -> RouteEvent {
    switch result {
    case .failure(let failure): return .callFailed(id, failure)
    case .success(let answer):
      let stamps = WindowStamps(answer.window)
      windowSeen(stamps)
      return .answered(
        id,
        CallAnswer(
          sessions: answer.sessions, isComplete: answer.isComplete, viewIsFresh: isViewFresh(),
          isFromMember: answer.isFromMember, strays: answer.strays.map(Incarnation.init(rawValue:)), stamps: stamps))
    }
  }

  private func finish(_ result: RouteResult) {
    let (calls, waiting) = state.withLock { state in
      state.result = result
      defer {
        state.calls = [:]
        state.waiting = nil
      }
      return (Array(state.calls.values), state.waiting)
    }
    for call in calls { call.link.cancel(call.correlation) }
    waiting?.resume(returning: result)
  }
}
