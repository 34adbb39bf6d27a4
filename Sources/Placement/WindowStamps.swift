/// The names of a window's two views: what travels in every message between Senders and pods, so that the side that
/// is behind finds out. The views themselves come from the registry only.
public struct WindowStamps: Hashable, Sendable {
  public let settled: ViewStamp
  public let current: ViewStamp

  public init(settled: ViewStamp, current: ViewStamp) {
    self.settled = settled
    self.current = current
  }

  /// No window known.
  public static let none = WindowStamps(settled: .none, current: .none)
}

extension Window {
  /// Of two windows with one current view the one that has settled less is the older: it was read before, and arrived
  /// late.
  public func isOlder(than other: Window) -> Bool {
    current.stamp == other.current.stamp && settled.stamp.version < other.settled.stamp.version
  }

  public var stamps: WindowStamps { WindowStamps(settled: settled.stamp, current: current.stamp) }
}
