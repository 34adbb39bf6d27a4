/// Durations as people write them: a number and a unit.
extension Duration {
  /// "500ms", "3s", "1.5s", "2m", "1h"; nil for anything else.
  init?(settingText text: String) {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard let amount = Double(number), amount.isFinite, amount < 1e9 else { return nil }
    switch text.dropFirst(number.count) {
    case "ms": self = .milliseconds(amount)
    case "s": self = .seconds(amount)
    case "m": self = .seconds(amount * 60)
    case "h": self = .seconds(amount * 3_600)
    default: return nil
    }
  }

  /// The shortest text that `init(settingText:)` takes for it, to the millisecond.
  public var settingText: String {
    let milliseconds = components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
    if milliseconds % 3_600_000 == 0, milliseconds > 0 { return "\(milliseconds / 3_600_000)h" }
    if milliseconds % 60_000 == 0, milliseconds > 0 { return "\(milliseconds / 60_000)m" }
    return milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)s" : "\(milliseconds)ms"
  }
}
