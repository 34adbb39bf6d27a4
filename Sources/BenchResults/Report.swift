internal import Foundation

/// One HTML page about any number of results: it needs no network, and shows plots where there is something to see.
public struct Report: Sendable {
  private let results: [BenchResult]

  public init(_ results: [BenchResult]) { self.results = results }

  public var html: String {
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
    <title>PushRing benchmarks</title>
    <style>
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
    table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; }
    th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
    th:first-child, td:first-child { text-align: left; }
    svg { display: block; width: 100%; max-width: 760px; margin: 1rem 0; }
    code { background: #f3f3f3; padding: 0 .25rem; } .note { color: #555; }
    </style></head><body>
    <h1>PushRing benchmarks</h1>
    \(machines)
    \(sideBySide)
    \(memoryBySessions)
    \(results.map(section).joined(separator: "\n"))
    </body></html>

    """
  }

  // MARK: All together

  private var machines: String {
    var seen: [Machine] = []
    for result in results where !seen.contains(result.machine) { seen.append(result.machine) }
    return seen.map { machine in
      """
      <p class="note">\(machine.cores) cores of \(escape(machine.processor)), \
      \(short(Double(machine.memoryBytes) / 1_073_741_824)) GiB, Linux \(escape(machine.kernel)). Servers, Redis and load \
      share this machine.</p>
      """
    }.joined(separator: "\n")
  }

  /// Strategies and peers, where a workload has several.
  private var sideBySide: String {
    let groups = Dictionary(grouping: results, by: Self.group).filter { $0.value.count > 1 }
    return groups.keys.sorted().map { workload in
      let group = groups[workload] ?? []
      let pictures = Figure.compared.compactMap { figure -> String? in
        let bars = group.compactMap { result in figure.value(result).map { (Self.name(result, among: group), $0) } }
        return bars.count > 1 ? Bars(title: figure.title, unit: figure.unit, bars: bars).svg : nil
      }
      let curves = group.compactMap { result in latencyLine(result, named: Self.name(result, among: group)) }
      let latency = curves.count > 1 ? percentilePlot("\(workload): latency by percentile", curves) : ""
      return
        "<h2>\(escape(workload)), side by side</h2>\n\(table(group))\n\(pictures.joined(separator: "\n"))\n\(latency)"
    }.joined(separator: "\n")
  }

  private var memoryBySessions: String {
    let points = results.filter { $0.workload == "idle" && $0.subject == "pushring" }.compactMap { result in
      result.userBytesPerSession.flatMap { bytes in
        (result.settings["sessions"].flatMap(Double.init)).map { (x: $0, y: $0 * bytes / 1_048_576) }
      }
    }.sorted { $0.x < $1.x }
    guard points.count > 1 else { return "" }
    return Plot(
      title: "Memory by sessions", xLabel: "sessions", yLabel: "MiB of user-space memory, all pods",
      lines: [.init(name: "pods", points: points)]
    ).svg
  }

  /// What is compared with one another: a workload, at a fixed rate or as fast as it goes.
  private static func group(_ result: BenchResult) -> String {
    (result.settings["rate"].flatMap(Double.init) ?? 0) > 0 ? "\(result.workload) at a fixed rate" : result.workload
  }

  static func name(_ result: BenchResult) -> String {
    result.subject == "pushring" ? result.strategy.map { "pushring, \($0)" } ?? "pushring" : result.subject
  }

  /// With what tells it from others of the same name.
  private static func name(_ result: BenchResult, among group: [BenchResult]) -> String {
    let name = name(result)
    let namesakes = group.filter { Self.name($0) == name }
    let telling = ["sessions", "connect-rate", "strays", "zipf", "churn"].filter { setting in
      Set(namesakes.map { $0.settings[setting] }).count > 1
    }
    return ([name] + telling.compactMap { setting in result.settings[setting].map { "\(setting) \($0)" } })
      .joined(separator: ", ")
  }

  private func table(_ group: [BenchResult]) -> String {
    let figures = Figure.all.filter { figure in group.contains { figure.value($0) != nil } }
    let head = group.map { "<th>\(escape(Self.name($0, among: group)))</th>" }.joined()
    let rows = figures.map { figure in
      let cells = group.map { "<td>\(figure.value($0).map { short($0) } ?? "")</td>" }.joined()
      return "<tr><td>\(escape(figure.title))\(figure.unit.isEmpty ? "" : ", \(escape(figure.unit))")</td>\(cells)</tr>"
    }
    return "<table><tr><th></th>\(head)</tr>\n\(rows.joined(separator: "\n"))</table>"
  }

  // MARK: One result

  private func section(_ result: BenchResult) -> String {
    let notes = result.notes.map { "<p class=\"note\">\(escape($0))</p>" }.joined(separator: "\n")
    return """
      <h2>\(escape(result.workload)): \(escape(Self.name(result)))</h2>
      <p><code>\(escape(result.command))</code><br><span class="note">\(escape(result.startedAt)), version \
      \(escape(result.version)), seed \(result.seed)</span></p>
      \(notes)
      \(noiseTable(result))
      \(latencyLine(result, named: "latency").map { percentilePlot("Latency by percentile", [$0]) } ?? "")
      \(timelinePlots(result))
      \(processTable(result))
      """
  }

  private func noiseTable(_ result: BenchResult) -> String {
    let rows = Figure.all.compactMap { figure -> String? in
      guard let value = figure.value(result) else { return nil }
      let spread = result.noise[figure.key]
      let range = spread.map { $0.values.count > 1 ? "\(short($0.least)) to \(short($0.most))" : "" } ?? ""
      return """
        <tr><td>\(escape(figure.title))\(figure.unit.isEmpty ? "" : ", \(escape(figure.unit))")</td>\
        <td>\(short(value))</td><td>\(range)</td></tr>
        """
    }
    guard !rows.isEmpty else { return "" }
    return
      "<table><tr><th></th><th>median</th><th>range over repetitions</th></tr>\n\(rows.joined(separator: "\n"))</table>"
  }

  private func processTable(_ result: BenchResult) -> String {
    guard !result.processes.isEmpty else { return "" }
    let rows = result.processes.map { process in
      """
      <tr><td>\(escape(process.name))</td><td>\(short(process.cpuSeconds))</td>\
      <td>\(short(Double(process.userBytes) / 1_048_576))</td></tr>
      """
    }
    return """
      <table><tr><th>process</th><th>CPU seconds while measured</th><th>user-space MiB at its end</th></tr>
      \(rows.joined(separator: "\n"))</table>
      """
  }

  private func timelinePlots(_ result: BenchResult) -> String {
    guard result.timeline.count > 1 else { return "" }
    let marks = result.marks.map { (x: $0.second, text: $0.text) }
    func plot(_ title: String, _ label: String, _ value: (TimelinePoint) -> Double) -> String {
      guard result.timeline.contains(where: { value($0) > 0 }) else { return "" }
      return Plot(
        title: title, xLabel: "seconds", yLabel: label,
        lines: [.init(name: title, points: result.timeline.map { ($0.second, value($0)) }, isStep: true)],
        marks: marks
      ).svg
    }
    return [
      plot("Messages received", "per second", \.messages), plot("Largest latency", "ms", \.latencyMs),
      plot("Sessions welcomed", "per second", \.welcomes), plot("Streams lost", "per second", \.lostStreams),
    ].joined(separator: "\n")
  }

  /// By "nines": 0 is p0, 1 is p90, 2 is p99.
  private func latencyLine(_ result: BenchResult, named name: String) -> Plot.Line? {
    guard let pairs = result.histograms["latency"] ?? result.histograms["connect"], !pairs.isEmpty else { return nil }
    let histogram = LatencyHistogram(pairs: pairs)
    let points = Self.nines.map { (x: $0, y: histogram.at(100 - 100 * pow(10, -$0))) }
    return Plot.Line(name: name, points: points)
  }

  private static let nines = stride(from: 0.05, through: 3.5, by: 0.05).map { $0 }

  private func percentilePlot(_ title: String, _ lines: [Plot.Line]) -> String {
    Plot(
      title: title, xLabel: "percentile", yLabel: "ms", lines: lines,
      xTicks: [(0.301, "50"), (1, "90"), (2, "99"), (3, "99.9")]
    ).svg
  }
}
