internal import Placement

/// The last views decoded: a window's two views are mostly the same ones as before, and a ring costs more to make than
/// its text to compare.
struct ViewCache {
  private var entries: [(text: String, view: View)] = []

  static let capacity = 4

  /// The one decoded last.
  var newest: View? { entries.last?.view }

  func view(for text: String) -> View? { entries.first { $0.text == text }?.view }

  mutating func insert(_ view: View, for text: String) {
    guard self.view(for: text) == nil else { return }
    entries.append((text, view))
    if entries.count > Self.capacity { entries.removeFirst() }
  }
}
