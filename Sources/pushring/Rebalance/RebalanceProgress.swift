internal import Administration
internal import Dispatch
internal import Foundation
internal import Placement
internal import RedisDirectory
internal import UnixSignals

/// Follows a rebalance to its end: a bar on a terminal, lines elsewhere, all on stderr. Ctrl-C and SIGTERM stop it.
struct RebalanceProgress: Sendable {
  private let directory: RedisDirectory

  private static let interval = Duration.milliseconds(500)
  private static let linesEvery = 4

  init(_ directory: RedisDirectory) { self.directory = directory }

  func follow(_ id: String) async throws -> RebalanceReport {
    let stopper = Task { try await stopWhenAsked(id) }
    defer { stopper.cancel() }
    let isTerminal = isatty(2) == 1
    var looks = 0
    while true {
      // Of an outage of the registry the pods know too: they begin nothing, and go on afterwards.
      if let report = try await look(id) {
        if isTerminal {
          draw(report)
        } else if looks % Self.linesEvery == 0 || report.isOver {
          printProgress(report.line)
        }
        if report.isOver {
          if isTerminal { printProgress("") }
          return report
        }
      }
      looks += 1
      try await Task.sleep(for: Self.interval)
    }
  }

  /// Nil when the registry does not answer; after a minute of that it is an error.
  private func look(_ id: String) async throws -> RebalanceReport? {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      do {
        let job = try await directory.rebalance()
        guard let job, job.id == id else {
          throw Failure("the registry knows nothing of this rebalance any more: it lost its data, or a later one began")
        }
        return RebalanceReport(
          cluster: directory.cluster.text, job: job, view: try await directory.window()?.current)
      } catch let error as DirectoryError where error.code == .unavailable && ContinuousClock.now < deadline {
        try await Task.sleep(for: .seconds(1))
      }
    }
  }

  private func stopWhenAsked(_ id: String) async throws {
    for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
      printProgress("\nstopping: moves under way end, no others begin")
      _ = try? await directory.stopRebalance(id: id)
    }
  }

  private func draw(_ report: RebalanceReport) {
    let width = 40
    let done = report.planned == 0 ? width : width * (report.moved + report.failed + report.ended) / report.planned
    let bar = String(repeating: "#", count: min(done, width)) + String(repeating: ".", count: max(0, width - done))
    try? FileHandle.standardError.write(contentsOf: Data("\r[\(bar)] \(report.line)\u{1b}[K".utf8))
  }
}
