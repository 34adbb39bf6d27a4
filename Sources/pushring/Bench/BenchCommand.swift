internal import ArgumentParser
internal import BenchResults
internal import Foundation
internal import Logging
internal import Observability
internal import UnixSignals

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure PushRing on this machine, and beside what you would pick instead.",
    discussion: """
      Each workload starts a private Redis, pods and a Sender, holds the sessions from cheap clients in processes of their \
      own, and reads CPU and memory from the operating system. Build it with: swift build -c release --product pushring

        pushring bench push --sessions 2000 --rate 2000
        pushring bench idle --sessions 10000 --output json
        pushring bench push --strategy directory --out directory.json
        pushring bench report *.json --out report.html
      """,
    subcommands: [
      BenchConnect.self, BenchIdle.self, BenchPush.self, BenchFailover.self, BenchOutage.self, BenchRebalance.self,
      BenchDrain.self,
      BenchChurn.self, BenchMixed.self, BenchReport.self, BenchCompare.self, LoadWorkerCommand.self,
    ])
}

/// A workload as a command.
private protocol BenchWorkloadCommand: AsyncParsableCommand {
  static var workload: BenchWorkload { get }
  var options: BenchOptions { get }
}

extension BenchWorkloadCommand {
  func run() async throws {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let options = options
    let working = Task { try await measure(Self.workload, options) }
    let listener = Task { for await _ in signals { working.cancel() } }
    defer { listener.cancel() }
    let result: BenchResult
    do {
      result = try await working.value
    } catch {
      throw working.isCancelled ? ExitCode(130) : error
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let json = String(decoding: try encoder.encode(result), as: UTF8.self) + "\n"
    if let out = options.out { try json.write(toFile: out, atomically: true, encoding: .utf8) }
    printData(options.output == .json ? json : summary(result))
  }
}

private func measure(_ workload: BenchWorkload, _ options: BenchOptions) async throws -> BenchResult {
  let logger = Logger(label: "bench") { label in StandardErrorLogHandler(label: label, format: .text, level: .error) }
  let run = try BenchRun(workload.rawValue, options, logger: logger)
  do {
    try await run.cluster.start(pods: options.pods, options)
    try await workload.perform(run)
  } catch {
    if !Task.isCancelled, let local = run.cluster.local { printProgress(local.newestLogLines) }
    await run.end()
    throw error
  }
  let result = run.finished()
  await run.end()
  return result
}

private func summary(_ result: BenchResult) -> String {
  let name = result.strategy.map { ", \($0)" } ?? ""
  var lines = [
    "\(result.workload)\(name): \(result.settings["sessions"] ?? "?") sessions on \(result.settings["pods"] ?? "?") pods"
  ]
  for figure in Figure.all {
    guard let value = figure.value(result) else { continue }
    let spread = result.noise[figure.key]
    let range = spread.map { $0.values.count > 1 ? "   (\(short($0.least)) to \(short($0.most)))" : "" } ?? ""
    let text = "\(short(value))\(figure.unit.isEmpty ? "" : " \(figure.unit)")"
    lines.append("  " + figure.title.padding(toLength: 60, withPad: " ", startingAt: 0) + text + range)
  }
  lines += result.notes.map { "  \($0)" }
  return lines.joined(separator: "\n") + "\n"
}

private struct BenchConnect: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "connect", abstract: "Sessions connected per second and CPU second; a storm without --connect-rate.")
  static let workload = BenchWorkload.connect
  @OptionGroup var options: BenchOptions
}

private struct BenchIdle: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "idle", abstract: "What a session costs that does nothing: memory in user space and kernel, CPU.")
  static let workload = BenchWorkload.idle
  @OptionGroup var options: BenchOptions
}

private struct BenchPush: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "push", abstract: "Pushes: latency at a --rate (open loop), or as many as it does (closed loop).")
  static let workload = BenchWorkload.push
  @OptionGroup var options: BenchOptions
}

private struct BenchFailover: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "failover", abstract: "A pod is killed under load: until when are its sessions back?")
  static let workload = BenchWorkload.failover
  @OptionGroup var options: BenchOptions
}

private struct BenchOutage: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "outage", abstract: "Redis is killed under load, and comes back empty.")
  static let workload = BenchWorkload.outage
  @OptionGroup var options: BenchOptions
}

private struct BenchRebalance: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebalance",
    abstract: "A pod joins under load, and its sessions move to it: what is disturbed, and what each strategy misses.")
  static let workload = BenchWorkload.rebalance
  @OptionGroup var options: BenchOptions
}

private struct BenchDrain: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "A pod is asked to end under load: its sessions move, and nothing is lost.")
  static let workload = BenchWorkload.drain
  @OptionGroup var options: BenchOptions
}

private struct BenchChurn: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(commandName: "churn", abstract: "Sessions come and go.")
  static let workload = BenchWorkload.churn
  @OptionGroup var options: BenchOptions
}

private struct BenchMixed: BenchWorkloadCommand {
  static let configuration = CommandConfiguration(
    commandName: "mixed", abstract: "Pushes while sessions come and go.")
  static let workload = BenchWorkload.mixed
  @OptionGroup var options: BenchOptions
}

private func read(_ file: String) throws -> BenchResult {
  do {
    return try JSONDecoder().decode(BenchResult.self, from: Data(contentsOf: URL(filePath: file)))
  } catch {
    throw Failure("\(file) is no benchmark's result (--output json, or --out): \(error)")
  }
}

private struct BenchReport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "One HTML page about results, with plots; it works offline.")
  @Argument(help: "Results, as written by --output json or --out.") var files: [String]
  @Option(help: ArgumentHelp("Where to write it.", valueName: "PAGE.html")) var out = "report.html"

  func run() throws {
    let html = Report(try files.map(read)).html
    do { try html.write(toFile: out, atomically: true, encoding: .utf8) } catch {
      throw Failure("--out \(out) can't be written: \(error.localizedDescription)")
    }
    printData("\(URL(filePath: out).path)\n")
  }
}

private struct BenchCompare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Two results, figure by figure.",
    discussion: """
      A change counts when it is larger than the threshold and the 95 % confidence interval of the difference (Welch's t,
      over the repetitions) is without zero. Exit code: 0, or 1 when a figure has become worse.
      """)
  @Argument(help: "The result before.") var before: String
  @Argument(help: "The result after.") var after: String
  @Option(help: ArgumentHelp("Smaller changes count as none.", valueName: "per cent")) var threshold = 10.0

  func run() throws {
    let (old, new) = (try read(before), try read(after))
    guard old.workload == new.workload else {
      throw Failure("\(before) is of the workload \(old.workload), and \(after) of \(new.workload)")
    }
    let comparison = Comparison(old, new, threshold: threshold)
    var text = ""
    for row in comparison.rows {
      let interval = row.interval.map { " [\(short($0.lowerBound)) to \(short($0.upperBound)) %]" } ?? ""
      let name = row.figure.padding(toLength: 32, withPad: " ", startingAt: 0)
      let sign = row.change > 0 ? "+" : ""
      text +=
        "\(name)\(short(row.before)) → \(short(row.after))  \(sign)\(short(row.change)) %\(interval)  \(row.verdict.rawValue)\n"
    }
    if old.machine != new.machine { text += "The two were taken on different machines.\n" }
    printData(text)
    if comparison.hasRegression { throw ExitCode(1) }
  }
}
