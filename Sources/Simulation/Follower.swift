import Placement

/// Follows the view as the pods' and Senders' followers do: announcements, which may be lost, and polls. The part that
/// decides what is known re-states `FollowedWindow`.
final class Follower {
  private unowned let world: World
  private unowned let actor: Actor
  private(set) var window: Window?
  /// The moment before the registry was asked, by the actor's clock.
  private(set) var confirmedAt: Duration?
  private var announcements = 0
  private var waiting: [(Window??) -> Void] = []
  private var isRefreshing = false
  private var polls = 0
  var tell: (Window) -> Void = { _ in }

  init(_ world: World, _ actor: Actor) {
    self.world = world
    self.actor = actor
  }

  func start() { poll() }

  func announced(_ announcement: SimulatedRegistry.Announcement) {
    guard let window else { return refresh() }
    switch announcement {
    case .change(let from, let view, let settled):
      if view.stamp == window.current.stamp { return }
      guard from == window.current.stamp else { return refresh() }
      if world.without.contains(.settledUnsaid) { return advance(to: Window(settled: window.settled, current: view)) }
      guard let settled = [window.settled, window.current].first(where: { $0.stamp == settled }) else {
        return refresh()
      }
      advance(to: Window(settled: settled, current: view))
    case .settled(let stamp):
      if stamp == window.settled.stamp { return }
      guard stamp == window.current.stamp else { return refresh() }
      advance(to: Window(settled: window.current, current: window.current))
    }
  }

  private func advance(to new: Window) {
    announcements += 1
    window = new
    tell(new)
  }

  /// Reads the window. `then` gets it, or nil when the registry does not answer; callers that come meanwhile share it.
  func refresh(then: ((Window??) -> Void)? = nil) {
    if let then { waiting.append(then) }
    guard !isRefreshing else { return }
    isRefreshing = true
    read(attemptsLeft: 3)
  }

  private func read(attemptsLeft: Int) {
    let mark = announcements
    let asked = actor.localTime(world.now)
    world.callMembership(from: actor, { $0.readWindow() }) { [self] (answer: Window??) in
      guard let answer else { return refreshed(nil) }
      if let read = answer, read.stamps != window?.stamps {
        if let window, read.isOlder(than: window) { return refreshed(.some(window)) }
        if let window = self.window, mark != announcements, isOlder(read, than: window) {
          if attemptsLeft > 1 { return self.read(attemptsLeft: attemptsLeft - 1) }
          return refreshed(.some(window))
        }
        window = read
        tell(read)
      }
      if answer != nil { confirm(asked) }
      refreshed(.some(window))
    }
  }

  private func isOlder(_ read: Window, than known: Window) -> Bool {
    if read.current.stamp.version < known.current.stamp.version { return true }
    return read.isOlder(than: known)
  }

  private func refreshed(_ result: Window??) {
    isRefreshing = false
    let callers = waiting
    waiting = []
    for caller in callers { caller(result) }
  }

  private func confirm(_ time: Duration) { confirmedAt = max(confirmedAt ?? time, time) }

  private func poll() {
    polls += 1
    let next = { [self] in world.at(world.timing.pollInterval, for: actor) { [self] in poll() } }
    if polls % 10 == 1 { return refresh { _ in next() } }
    let asked = actor.localTime(world.now)
    world.callRegistry(from: actor, { ($0.meta?.settled?.stamp ?? ViewStamp.none, $0.meta?.stamp ?? ViewStamp.none) }) {
      [self] stamps in
      guard let (settled, current) = stamps else { return next() }
      if window?.settled.stamp == settled, window?.current.stamp == current {
        confirm(asked)
        next()
      } else {
        refresh { _ in next() }
      }
    }
  }
}
