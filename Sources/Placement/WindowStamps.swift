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
  public var stamps: WindowStamps { WindowStamps(settled: settled.stamp, current: current.stamp) }
}
