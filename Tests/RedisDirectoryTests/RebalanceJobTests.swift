import Placement
import RedisDirectory
import TestServers
import Testing

/// The one rebalance of a cluster, as its registry keeps it.
@Suite struct RebalanceJobTests {
  private func start(
    _ registry: TestRegistry, _ id: String, _ sources: [(Incarnation, Int)], limit: Duration = .seconds(60)
  ) async throws -> RebalanceStart {
    let view = try #require(try await registry.directory.window()).current.stamp
    return try await registry.directory.startRebalance(
      id: id, view: view, parameters: "{\"rate\":1}", limit: limit,
      sources: sources.map { (incarnation: $0.0, planned: $0.1) })
  }

  private func source(_ incarnation: Incarnation, moved: Int, left: Int, isDone: Bool) -> RebalanceJob.Source {
    .init(incarnation: incarnation, planned: 0, moved: moved, failed: 1, ended: 2, left: left, isDone: isDone)
  }

  @Test func itIsDoneWhenEachSourceHasDoneWhatItCould() async throws {
    try await withRegistry { registry in
      let directory = registry.directory
      #expect(try await directory.rebalance() == nil)
      let one = try await directory.join(pod(1)).incarnation
      let two = try await directory.join(pod(2)).incarnation
      guard case .started(let job) = try await start(registry, "first", [(one, 10), (two, 5)]) else {
        Issue.record("it did not start")
        return
      }
      #expect(job.id == "first" && job.state == .running && job.parameters == "{\"rate\":1}")
      #expect(job.sources.map(\.left) == [10, 5] && job.sources.allSatisfy { !$0.isDone })
      let half = try #require(
        try await directory.reportRebalance("first", source(one, moved: 7, left: 0, isDone: true)))
      #expect(half.state == .running)
      #expect(
        half.sources.first
          == .init(
            incarnation: one, planned: 10, moved: 7, failed: 1, ended: 2, left: 0, isDone: true))
      let over = try await directory.reportRebalance("first", source(two, moved: 2, left: 0, isDone: true))
      #expect(over?.state == .done)
      #expect(try await directory.rebalance()?.state == .done)
    }
  }

  @Test func aSecondOneIsRefusedWhileTheFirstIsUnderWay() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1)).incarnation
      _ = try await start(registry, "first", [(one, 10)])
      guard case .busy(let job) = try await start(registry, "second", [(one, 10)]) else {
        Issue.record("it was not refused")
        return
      }
      #expect(job.id == "first")
      _ = try await registry.directory.reportRebalance("first", source(one, moved: 7, left: 0, isDone: true))
      guard case .started = try await start(registry, "second", [(one, 3)]) else {
        Issue.record("it did not start")
        return
      }
      #expect(try await registry.directory.rebalance()?.sources.map(\.planned) == [3])
      // Who still works for the first finds out that it is over.
      #expect(
        try await registry.directory.reportRebalance("first", source(one, moved: 8, left: 0, isDone: true)) == nil)
    }
  }

  @Test func aPlanForAnotherViewIsStale() async throws {
    try await withRegistry { registry in
      let first = try await registry.directory.join(pod(1))
      let second = try await registry.directory.join(pod(2))
      let answer = try await registry.directory.startRebalance(
        id: "x", view: first.window.current.stamp, parameters: "", limit: .seconds(60), sources: [])
      #expect(answer == .stale(current: second.window.current.stamp))
      #expect(try await registry.directory.rebalance() == nil)
    }
  }

  @Test func aStopLetsWhatIsUnderWayEnd() async throws {
    try await withRegistry { registry in
      let directory = registry.directory
      let one = try await directory.join(pod(1)).incarnation
      _ = try await start(registry, "first", [(one, 10)])
      #expect(try await directory.stopRebalance(id: "other") == nil)
      #expect(try await directory.stopRebalance()?.state == .stopping)
      guard case .busy = try await start(registry, "second", [(one, 10)]) else {
        Issue.record("a second one started meanwhile")
        return
      }
      #expect(
        try await directory.reportRebalance("first", source(one, moved: 1, left: 6, isDone: false))?.state == .stopping)
      #expect(
        try await directory.reportRebalance("first", source(one, moved: 2, left: 5, isDone: true))?.state == .stopped)
      #expect(try await directory.stopRebalance()?.state == .stopped)
    }
  }

  @Test func itEndsByItselfWhenItsSourcesAreGone() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1)).incarnation
      _ = try await registry.directory.join(pod(2))
      _ = try await start(registry, "first", [(one, 10)])
      try await registry.directory.leave(one)
      let job = try #require(try await registry.directory.rebalance())
      #expect(job.state == .done && job.sources.map(\.isDone) == [true] && job.sources.map(\.left) == [10])
    }
  }

  @Test func withoutSourcesThereIsNothingToDo() async throws {
    try await withRegistry { registry in
      _ = try await registry.directory.join(pod(1))
      _ = try await start(registry, "first", [])
      #expect(try await registry.directory.rebalance()?.state == .done)
    }
  }

  @Test func pastItsTimeItIsStopped() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1)).incarnation
      _ = try await start(registry, "first", [(one, 10)], limit: .milliseconds(50))
      try await eventually("it is stopping") { try await registry.directory.rebalance()?.state == .stopping }
      _ = try await registry.directory.reportRebalance("first", source(one, moved: 2, left: 5, isDone: true))
      let job = try #require(try await registry.directory.rebalance())
      #expect(job.state == .stopped)
      // The clock of one that is over stands still.
      #expect(try await registry.directory.rebalance()?.lasted == job.lasted)
    }
  }

  /// A source that can't do its part, and does not say so: another version, or one that hangs.
  @Test func aSourceThatNeverAnswersHoldsNoOtherRebalanceUpForEver() async throws {
    try await withRegistry { registry in
      let one = try await registry.directory.join(pod(1)).incarnation
      _ = try await start(registry, "first", [(one, 10)])
      _ = try await registry.directory.stopRebalance()
      #expect(try await registry.directory.rebalance()?.state == .stopping)
      // As if the time for what is under way were over.
      try await registry.server.cli("HSET", "pushring:{test}:rebalance", "stops", "1")
      #expect(try await registry.directory.rebalance()?.state == .stopped)
      guard case .started = try await start(registry, "second", [(one, 10)]) else {
        Issue.record("it did not start")
        return
      }
    }
  }
}
