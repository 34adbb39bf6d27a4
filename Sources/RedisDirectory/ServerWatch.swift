/// Finds out that Redis is another process than before: only then may it have lost data.
struct ServerWatch {
  private var runID: String?
  private(set) var changes = 0

  enum OnSeen: Equatable {
    case same
    case changed(from: String)
  }

  /// An empty text says nothing: the registry holds nothing yet.
  mutating func seen(_ newRunID: String) -> OnSeen {
    guard !newRunID.isEmpty, newRunID != runID else { return .same }
    defer { runID = newRunID }
    guard let runID else { return .same }
    changes += 1
    return .changed(from: runID)
  }
}
