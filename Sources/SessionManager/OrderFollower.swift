/// Carries out what operators order: a drain of this pod, this pod's part of a rebalance, a pause of homing.
///
/// Renewals tell when there is a new order to read; while there is a rebalance its progress is reported each second, and the
/// answer tells whether it is to go on. Orders that can't be read are read again at the next renewal.
internal import Foundation
internal import HashRing
internal import Logging
internal import Placement
internal import Rebalancing
internal import RedisDirectory
internal import Synchronization

final class OrderFollower: Sendable {
  private let hub: SessionHub
  private let mover: SessionMover
  private let directory: RedisDirectory
  private let logger: Logger
  private let wake = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  private let state = Mutex(State())

  private static let reportInterval = Duration.seconds(1)
  /// Of a pod that an operator drains, in sessions a second.
  private static let emptyingRate = 200.0

  private struct State {
    /// The newest order that was told of, and the newest that was read.
    var told: UInt64 = 0
    var read: UInt64 = 0
    var rebalance: String?
  }

  init(hub: SessionHub, mover: SessionMover, directory: RedisDirectory, logger: Logger) {
    self.hub = hub
    self.mover = mover
    self.directory = directory
    self.logger = logger
  }

  /// A renewal told the number of the newest order.
  func told(_ number: UInt64) {
    let isNew = state.withLock { state in
      state.told = number
      return state.told != state.read
    }
    if isNew { wake.continuation.yield() }
  }

  /// Until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { for await _ in self.wake.stream { await self.follow() } }
      group.addTask { await self.keepReporting() }
    }
  }

  private func follow() async {
    do {
      let orders = try await directory.orders() ?? Orders()
      let job = try await directory.rebalance()
      mover.take(task(orders, job))
      if let job, job.state == .stopping { mover.stopRebalance() }
      state.withLock { $0.read = orders.number }
    } catch {
      logger.debug("Orders were not read; the next renewal tries again", metadata: ["error": "\(error.message)"])
    }
  }

  private func task(_ orders: Orders, _ job: RebalanceJob?) -> MoveTask {
    if let order = rebalanceOrder(job) {
      state.withLock { $0.rebalance = order.id }
      return .rebalance(order)
    }
    state.withLock { $0.rebalance = nil }
    if orders.order(for: hub.podID)?.state == .drained { return .emptying(MoveLimits(rate: Self.emptyingRate)) }
    return orders.homing ? .homing : .paused
  }

  /// Nil when there is none, or this pod has no part in it.
  private func rebalanceOrder(_ job: RebalanceJob?) -> RebalanceOrder? {
    guard let job, !job.state.isOver, let own = hub.incarnation,
      let source = job.sources.first(where: { $0.incarnation == own }), !source.isDone
    else { return nil }
    let parameters: RebalanceParameters
    do {
      parameters = try JSONDecoder().decode(RebalanceParameters.self, from: Data(job.parameters.utf8))
      try parameters.check()
    } catch {
      logger.warning(
        "A rebalance can't be carried out as it was ordered; end it with 'pushring rebalance stop'",
        metadata: ["id": "\(job.id)", "error": "\(error)"])
      return nil
    }
    let total = job.sources.reduce(0) { $0 + $1.planned }
    return RebalanceOrder(
      id: job.id, planned: source.planned, limits: parameters.limits(of: source.planned, in: total),
      sendsAway: parameters.force, userHash: parameters.userID.map { keyHash($0.utf8) })
  }

  // MARK: Progress

  private func keepReporting() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: Self.reportInterval)
      guard let id = state.withLock({ $0.rebalance }), let progress = mover.progress(), let own = hub.incarnation else {
        continue
      }
      let source = RebalanceJob.Source(
        incarnation: own, planned: 0, moved: progress.moved, failed: progress.failed, ended: progress.ended,
        left: progress.left, isDone: progress.isDone)
      do {
        let job = try await directory.reportRebalance(id, source)
        if job?.state == .stopping { mover.stopRebalance() }
        // Nothing is left to do here, or it is over, or forgotten by a registry that lost its data.
        if progress.isDone || job?.state.isOver != false { await follow() }
      } catch {
        logger.debug("Progress was not reported; the next second tries again", metadata: ["error": "\(error.message)"])
      }
    }
  }
}
