/// What happens to messages: each is delayed by chance, so that they overtake each other, and may be lost or doubled.
/// Directions of pairs can be cut.
struct Network {
  /// The weather of a stretch of time.
  struct Weather {
    var delays: ClosedRange<Duration> = .microseconds(200)...(.milliseconds(2))
    /// Of these messages so many take much longer.
    var lateShare = 0.0
    var lateDelays: ClosedRange<Duration> = .milliseconds(100)...(.milliseconds(1_500))
    var lostShare = 0.0
    var doubledShare = 0.0

    static let fair = Weather()
  }

  private struct Direction: Hashable {
    let from: Place
    let to: Place
  }

  var weather = Weather.fair
  /// How often each direction is cut at this time: faults may overlap.
  private var cuts: [Direction: Int] = [:]

  mutating func cut(_ from: Place, _ to: Place) { cuts[Direction(from: from, to: to), default: 0] += 1 }

  mutating func mend(_ from: Place, _ to: Place) {
    let count = cuts[Direction(from: from, to: to)] ?? 0
    cuts[Direction(from: from, to: to)] = count > 1 ? count - 1 : nil
  }

  mutating func mendAll() { cuts = [:] }

  func isCut(_ from: Place, _ to: Place) -> Bool { cuts[Direction(from: from, to: to)] != nil }

  /// Nil: the message is lost.
  func transit(_ from: Place, _ to: Place, _ random: inout SeededGenerator) -> Duration? {
    let delay = delay(&random)
    let isLost = random.chance(weather.lostShare)
    return isLost || isCut(from, to) ? nil : delay
  }

  func delay(_ random: inout SeededGenerator) -> Duration {
    let isLate = random.chance(weather.lateShare)
    return random.duration(isLate ? weather.lateDelays : weather.delays)
  }
}
