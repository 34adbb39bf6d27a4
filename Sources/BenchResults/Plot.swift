/// A picture as SVG, without anything from elsewhere: it works offline and prints.
struct Plot {
  struct Line {
    let name: String
    let points: [(x: Double, y: Double)]
    var isStep = false
  }

  let title: String
  let xLabel: String
  let yLabel: String
  var lines: [Line] = []
  /// Vertical, with a text: where a fault happened.
  var marks: [(x: Double, text: String)] = []
  /// Where the x axis has its labels; nil: even steps.
  var xTicks: [(x: Double, text: String)]?

  private static let (width, height) = (720.0, 300.0)
  private static let (left, right, top, bottom) = (70.0, 16.0, 34.0, 44.0)

  var svg: String {
    let xs = lines.flatMap { $0.points.map(\.x) } + marks.map(\.x)
    let ys = lines.flatMap { $0.points.map(\.y) }
    guard let least = xs.min(), let most = xs.max(), let highest = ys.max() else {
      return "<p>\(escape(title)): there is nothing to draw.</p>"
    }
    let x = Axis(from: least, to: most > least ? most : least + 1)
    let y = Axis(from: 0, to: niceCeiling(highest))
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
      font-family="sans-serif" font-size="11">
      <title>\(escape(title))</title>
      <text x="\(Self.left)" y="16" font-size="13" font-weight="bold">\(escape(title))</text>
      \(grid(x, y))
      \(lines.enumerated().map { curve($1, number: $0, x, y) }.joined(separator: "\n"))
      \(marks.map { mark($0.x, $0.text, x) }.joined(separator: "\n"))
      \(legend)
      </svg>
      """
  }

  private struct Axis {
    let from: Double
    let to: Double
    func place(_ value: Double, _ start: Double, _ end: Double) -> Double {
      start + (value - from) / (to - from) * (end - start)
    }
  }

  private func at(_ point: (x: Double, y: Double), _ x: Axis, _ y: Axis) -> (Double, Double) {
    (
      x.place(point.x, Self.left, Self.width - Self.right), y.place(point.y, Self.height - Self.bottom, Self.top)
    )
  }

  private func curve(_ line: Line, number: Int, _ x: Axis, _ y: Axis) -> String {
    var path = ""
    var last: Double?
    for point in line.points {
      let (px, py) = at(point, x, y)
      if let last, line.isStep { path += "L\(text(px)) \(text(last)) " }
      path += "\(path.isEmpty ? "M" : "L")\(text(px)) \(text(py)) "
      last = py
    }
    return "<path d=\"\(path)\" fill=\"none\" stroke=\"\(colour(number))\" stroke-width=\"1.6\"/>"
  }

  private func mark(_ value: Double, _ label: String, _ x: Axis) -> String {
    let px = text(x.place(value, Self.left, Self.width - Self.right))
    return """
      <line x1="\(px)" y1="\(Self.top)" x2="\(px)" y2="\(Self.height - Self.bottom)" stroke="#666" stroke-dasharray="3 3"/>
      <text x="\(px)" y="\(Self.top + 10)" fill="#444" transform="translate(4 0)">\(escape(label))</text>
      """
  }

  private func grid(_ x: Axis, _ y: Axis) -> String {
    var parts: [String] = []
    for step in 0...4 {
      let value = y.from + (y.to - y.from) * Double(step) / 4
      let py = text(y.place(value, Self.height - Self.bottom, Self.top))
      parts.append(
        """
        <line x1="\(Self.left)" y1="\(py)" x2="\(Self.width - Self.right)" y2="\(py)" stroke="#ddd"/>
        <text x="\(Self.left - 6)" y="\(py)" text-anchor="end" dominant-baseline="middle">\(short(value))</text>
        """)
    }
    let ticks = xTicks ?? (0...6).map { x.from + (x.to - x.from) * Double($0) / 6 }.map { ($0, short($0)) }
    for tick in ticks where tick.x >= x.from && tick.x <= x.to {
      let px = text(x.place(tick.x, Self.left, Self.width - Self.right))
      parts.append(
        "<text x=\"\(px)\" y=\"\(Self.height - Self.bottom + 16)\" text-anchor=\"middle\">\(escape(tick.text))</text>")
    }
    parts.append(
      """
      <text x="\(Self.width / 2)" y="\(Self.height - 8)" text-anchor="middle">\(escape(xLabel))</text>
      <text x="14" y="\(Self.height / 2)" text-anchor="middle" \
      transform="rotate(-90 14 \(Self.height / 2))">\(escape(yLabel))</text>
      """)
    return parts.joined(separator: "\n")
  }

  private var legend: String {
    guard lines.count > 1 else { return "" }
    return lines.enumerated().map { number, line in
      let y = Self.top + 10 + Double(number) * 15
      return """
        <rect x="\(Self.left + 8)" y="\(y - 8)" width="10" height="10" fill="\(colour(number))"/>
        <text x="\(Self.left + 24)" y="\(y)">\(escape(line.name))</text>
        """
    }.joined(separator: "\n")
  }
}

/// Horizontal bars, one for each name.
struct Bars {
  let title: String
  let unit: String
  let bars: [(name: String, value: Double)]

  var svg: String {
    guard let most = bars.map(\.value).max(), most > 0 else { return "" }
    let height = 34 + bars.count * 24
    let rows = bars.enumerated().map { number, bar in
      let y = 30 + number * 24
      let width = bar.value / most * 380
      return """
        <text x="190" y="\(y + 13)" text-anchor="end">\(escape(bar.name))</text>
        <rect x="200" y="\(y)" width="\(text(max(width, 1)))" height="18" fill="\(colour(number))"/>
        <text x="\(text(206 + max(width, 1)))" y="\(y + 13)">\(short(bar.value)) \(escape(unit))</text>
        """
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 \(height)" role="img" font-family="sans-serif" \
      font-size="11">
      <title>\(escape(title))</title>
      <text x="10" y="16" font-size="13" font-weight="bold">\(escape(title))</text>
      \(rows.joined(separator: "\n"))
      </svg>
      """
  }
}

/// Told apart also by those who see red and green alike (Okabe and Ito's palette).
func colour(_ number: Int) -> String {
  ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442"][number % 8]
}

func escape(_ text: String) -> String {
  text.reduce(into: "") { escaped, character in
    switch character {
    case "&": escaped += "&amp;"
    case "<": escaped += "&lt;"
    case ">": escaped += "&gt;"
    case "\"": escaped += "&quot;"
    default: escaped.append(character)
    }
  }
}

/// Two decimals at most, for coordinates.
func text(_ value: Double) -> String {
  let hundredths = (value * 100).rounded() / 100
  return hundredths == hundredths.rounded() ? "\(Int(hundredths))" : "\(hundredths)"
}

/// For people: three significant digits, thousands set apart.
public func short(_ value: Double) -> String {
  guard value.isFinite else { return "-" }
  let size = abs(value)
  if size >= 1_000 {
    let digits = String(Int(value.rounded()).magnitude)
    var grouped = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { grouped += "," }
      grouped.append(digit)
    }
    return (value < 0 ? "-" : "") + grouped
  }
  let decimals = size >= 100 ? 1.0 : size >= 10 ? 10.0 : size >= 1 ? 100.0 : 1_000.0
  let rounded = (value * decimals).rounded() / decimals
  return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
}

private func niceCeiling(_ value: Double) -> Double {
  guard value > 0 else { return 1 }
  var unit = 1.0
  while unit * 10 <= value { unit *= 10 }
  while unit > value { unit /= 10 }
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map { $0 * unit }.first { $0 >= value } ?? value
}
