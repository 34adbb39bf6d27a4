// Metrics in the form that Prometheus scrapes, behind swift-metrics' API. Families (one name, one type) hold series (one
// set of labels each); the handlers that swift-metrics hands out write into them, and a scrape reads all of them.
//
// The number of series per family is bounded: a label that a client can choose (a user id, say) would otherwise be a
// memory leak that any client can open. What is beyond the bound goes into one series with the label overflow="true", so
// that sums stay right.

/// What a family measures; fixed by the first use of its name.
enum MetricType: String, Sendable {
  case counter
  case gauge
  case histogram
}

/// A label set in the order of its names, so that equal sets are equal.
struct MetricLabels: Hashable, Sendable {
  let pairs: [MetricLabel]

  init(_ dimensions: [(String, String)]) {
    // The last one wins, as in a dictionary.
    let unique = Dictionary(dimensions.map { (labelName($0.0), $0.1) }) { $1 }
    pairs = unique.map(MetricLabel.init).sorted { $0.name < $1.name }
  }

  static let overflow = MetricLabels([("overflow", "true")])
}

struct MetricLabel: Hashable, Sendable {
  let name: String
  let value: String
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`; other characters (swift-metrics' names have dots) become "_".
func metricName(_ label: String) -> String { sanitized(label, allowsColon: true) }

/// `[a-zA-Z_][a-zA-Z0-9_]*`
func labelName(_ label: String) -> String { sanitized(label, allowsColon: false) }

private func sanitized(_ label: String, allowsColon: Bool) -> String {
  let allowed = label.map { character in
    let fits = character.isASCII && (character.isLetter || character.isNumber || character == "_")
    return fits || (allowsColon && character == ":") ? character : "_"
  }
  guard let first = allowed.first else { return "_" }
  return (first.isNumber ? "_" : "") + String(allowed)
}
