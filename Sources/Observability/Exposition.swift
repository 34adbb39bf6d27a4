/// Prometheus' text format, version 0.0.4.
extension MetricRegistry {
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// What a scrape gets.
  public func exposition() -> String {
    var text = ""
    for family in snapshot() {
      text += "# TYPE \(family.name) \(family.type.rawValue)\n"
      for (labels, samples) in family.series {
        for sample in samples {
          let pairs = labels.pairs + (sample.extraLabel.map { [$0] } ?? [])
          text += "\(family.name)\(sample.ending)\(exposed(pairs)) \(exposed(sample.value))\n"
        }
      }
    }
    return text
  }
}

private func exposed(_ labels: [MetricLabel]) -> String {
  guard !labels.isEmpty else { return "" }
  return "{" + labels.map { "\($0.name)=\"\(escapedLabelValue($0.value))\"" }.joined(separator: ",") + "}"
}

private func escapedLabelValue(_ value: String) -> String {
  var escaped = ""
  for scalar in value.unicodeScalars {
    switch scalar {
    case "\\": escaped += "\\\\"
    case "\"": escaped += "\\\""
    case "\n": escaped += "\\n"
    default: escaped.unicodeScalars.append(scalar)
    }
  }
  return escaped
}

/// Whole numbers without ".0"; infinities and NaN as the format wants them.
func exposed(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
  if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
  return String(value)
}
