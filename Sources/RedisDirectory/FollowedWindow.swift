internal import Placement

/// What a follower knows, as a value: an event goes in, and what to do comes out.
///
/// Two sources tell of views: announcements, which are differences and may be missed, and reads, which are whole and may
/// be overtaken by an announcement while they are under way. Differences apply only to the view that they start from;
/// anything else means: read.
struct FollowedWindow {
  private(set) var window: Window?
  private var announcements = 0

  enum Directive: Equatable {
    case nothing
    /// The window is another one: tell those who wait for it.
    case tell(Window)
    case read
  }

  /// Taken when a read begins, given back when it ends.
  struct ReadMark: Equatable {
    fileprivate let announcements: Int
  }

  mutating func announced(_ announcement: ViewAnnouncement) -> Directive {
    guard let window else { return .read }
    switch announcement {
    case .change(let change): return announced(change, window)
    case .settled(let stamp): return settled(stamp, window)
    }
  }

  func readBegan() -> ReadMark { ReadMark(announcements: announcements) }

  /// Nil: the registry knows no view (it is new, or was emptied). What is known stays: pods resume with it.
  mutating func readEnded(_ read: Window?, _ mark: ReadMark) -> Directive {
    guard let read, read != window else { return .nothing }
    if let window, read.isOlder(than: window) { return .nothing }
    if let window, mark.announcements != announcements, read.current.stamp.version < window.current.stamp.version {
      // Overtaken by an announcement, or emptied meanwhile: only another read can tell.
      return .read
    }
    window = read
    return .tell(read)
  }

  /// The registry's stamps: is what is known still the newest?
  func confirms(settled: ViewStamp, current: ViewStamp) -> Bool {
    window?.settled.stamp == settled && window?.current.stamp == current
  }

  private mutating func announced(_ change: ViewChange, _ window: Window) -> Directive {
    if change.to == window.current.stamp { return .nothing }
    guard let settled = [window.settled, window.current].first(where: { $0.stamp == change.settled }),
      let current = try? change.applied(to: window.current)
    else { return .read }
    return advance(to: Window(settled: settled, current: current))
  }

  private mutating func settled(_ stamp: ViewStamp, _ window: Window) -> Directive {
    if stamp == window.settled.stamp { return .nothing }
    guard stamp == window.current.stamp else { return .read }
    return advance(to: Window(settled: window.current, current: window.current))
  }

  private mutating func advance(to new: Window) -> Directive {
    announcements += 1
    window = new
    return .tell(new)
  }
}
