/// How the text of a setting becomes a value. Text is what flags, environment and files have in common.
struct SettingType<Value: Sendable>: Sendable {
  /// For people: "a number from 1 to 100".
  let name: String
  let parse: @Sendable (String) throws(UnusableText) -> Value
}

/// Says what a text should have been; who looks the setting up adds which setting, and where the text came from.
struct UnusableText: Error, Hashable {
  /// "must be …"
  let problem: String
}

extension SettingType where Value == String {
  static let text = Self(name: "text") { text in text }

  static let file = Self(name: "path of a file") { text throws(UnusableText) in
    guard !text.isEmpty else { throw UnusableText(problem: "must be the path of a file, but is empty") }
    return text
  }

  static func choice(_ choices: [String]) -> Self {
    let list = choices.joined(separator: ", ")
    return Self(name: "one of \(list)") { text throws(UnusableText) in
      guard choices.contains(text) else { throw UnusableText(problem: "must be one of \(list)") }
      return text
    }
  }
}

extension SettingType where Value == Int {
  static func integer(_ bounds: ClosedRange<Int>) -> Self {
    let kind = "a whole number from \(bounds.lowerBound) to \(bounds.upperBound)"
    return Self(name: kind) { text throws(UnusableText) in
      guard let number = Int(text), bounds.contains(number) else { throw UnusableText(problem: "must be \(kind)") }
      return number
    }
  }
}

extension SettingType where Value == Bool {
  static let toggle = Self(name: "true or false") { text throws(UnusableText) in
    switch text.lowercased() {
    case "true", "yes", "1", "on": return true
    case "false", "no", "0", "off": return false
    default: throw UnusableText(problem: "must be true or false")
    }
  }
}

extension SettingType where Value == HostAndPort {
  static let address = Self(name: "HOST:PORT") { text throws(UnusableText) in try HostAndPort(parsing: text) }
}

extension SettingType where Value == [HostAndPort] {
  static let addresses = Self(name: "HOST:PORT, several separated by commas") { text throws(UnusableText) in
    var addresses: [HostAndPort] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      addresses.append(try HostAndPort(parsing: String(part.trimmingSpaces)))
    }
    return addresses
  }
}

extension SettingType where Value == Duration {
  static func duration(_ bounds: ClosedRange<Duration>) -> Self {
    Self(name: "a duration such as 500ms, 3s, 2m or 1h") { text throws(UnusableText) in
      guard let duration = Duration(settingText: text) else {
        throw UnusableText(problem: "must be a duration such as 500ms, 3s, 2m or 1h")
      }
      guard bounds.contains(duration) else {
        throw UnusableText(
          problem: "must be from \(bounds.lowerBound.settingText) to \(bounds.upperBound.settingText)")
      }
      return duration
    }
  }
}

extension Substring {
  fileprivate var trimmingSpaces: Substring {
    var rest = self
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return rest
  }
}
