/// How text for people is coloured: little, and only where it helps to find what matters.
public struct Palette: Sendable, Hashable {
  public enum Style: String, Sendable, Hashable {
    case plain = ""
    /// As it should be.
    case good = "32"
    /// Worth a look.
    case notable = "33"
    /// Wrong.
    case bad = "31"
    case heading = "1"
    case faint = "2"
  }

  public let isColoured: Bool

  /// For files, pipes, and who asked for it.
  public static let plain = Palette(isColoured: false)

  public init(isColoured: Bool) { self.isColoured = isColoured }

  public func callAsFunction(_ text: String, _ style: Style) -> String {
    isColoured && style != .plain && !text.isEmpty ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }
}

/// Of a member's state.
func style(ofState state: String) -> Palette.Style {
  switch state {
  case "active": .good
  case "grace": .bad
  default: .notable
  }
}
