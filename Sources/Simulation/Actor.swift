/// A process: it may be stopped and continued, and killed. While it is stopped, time goes on and what arrives waits.
class Actor {
  let name: String
  let place: Place
  private(set) var isAlive = true
  private(set) var isPaused = false
  /// How often it was stopped, so that one who wants to continue it can tell whether it still is the same stop.
  private(set) var pauses = 0
  private var backlog: [() -> Void] = []
  /// Its clock against the world's, in millionths: clocks of two machines run apart by less than a hundredth.
  let clockRate: Int
  let clockStart: Duration

  init(name: String, place: Place, clockRate: Int, clockStart: Duration) {
    self.name = name
    self.place = place
    self.clockRate = clockRate
    self.clockStart = clockStart
  }

  /// What the actor's own clock, which counts suspension, shows.
  func localTime(_ time: Duration) -> Duration { clockStart + time * clockRate / 1_000_000 }

  func run(_ action: @escaping () -> Void) {
    guard isAlive else { return }
    if isPaused { backlog.append(action) } else { action() }
  }

  func pause() {
    isPaused = true
    pauses += 1
  }

  /// - Returns: what arrived meanwhile, in its order.
  func resume() -> [() -> Void] {
    isPaused = false
    defer { backlog = [] }
    return backlog
  }

  func kill() {
    isAlive = false
    isPaused = false
    backlog = []
  }
}

/// Between which the network can be cut.
enum Place: Hashable {
  case registry
  case pod(Int)
  case sender(Int)

  var name: String {
    switch self {
    case .registry: "the registry"
    case .pod(let index): "address \(index + 1)"
    case .sender(let index): "sender-\(index + 1)"
    }
  }
}
