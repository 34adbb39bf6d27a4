/// The process that serves the registry: it can stop, hang, be replaced, and lose what it knew.
final class RegistryServer {
  enum Condition {
    case serving
    /// Takes calls and answers them when it goes on.
    case hanging
    case stopped
  }

  var registry: SimulatedRegistry
  private(set) var condition = Condition.serving
  private var backlog: [() -> Void] = []
  /// Earlier states, the newest last: what a replica that is behind may have.
  private var earlier: [SimulatedRegistry] = []
  private let keepsEarlier: Int

  init(_ registry: SimulatedRegistry, keepsEarlier: Int) {
    self.registry = registry
    self.registry.serverRunID = 1
    self.keepsEarlier = keepsEarlier
  }

  func serve(_ call: @escaping () -> Void) {
    switch condition {
    case .serving: call()
    case .hanging: backlog.append(call)
    case .stopped: break
    }
  }

  /// Before each change.
  func note() {
    guard keepsEarlier > 0 else { return }
    earlier.append(registry)
    if earlier.count > 2 * keepsEarlier { earlier.removeFirst(keepsEarlier) }
  }

  func stop() {
    condition = .stopped
    backlog = []
  }

  func hang() { if condition == .serving { condition = .hanging } }

  /// - Returns: the calls that waited.
  func goOn() -> [() -> Void] {
    condition = .serving
    defer { backlog = [] }
    return backlog
  }

  /// Another process with everything that was known. What waited at the one before went with it.
  func startAgain() {
    backlog = []
    registry.serverRunID += 1
    condition = .serving
  }

  /// A replica takes over that lacks the last `count` changes.
  func failOver(losing count: Int) {
    let runID = registry.serverRunID
    if count > 0, !earlier.isEmpty { registry = earlier[max(0, earlier.count - count)] }
    registry.serverRunID = runID
    earlier = []
    startAgain()
  }

  /// FLUSHALL.
  func flush() {
    var empty = SimulatedRegistry(timing: registry.timing, without: registry.without)
    empty.serverRunID = registry.serverRunID
    registry = empty
  }

  /// Another process that knows nothing.
  func startEmpty() {
    flush()
    startAgain()
  }
}
