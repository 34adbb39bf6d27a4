import Placement
import Sessions
import Testing

@testable import Rebalancing

/// One pod's part of a rebalance, by what its mover counts.
@Suite struct RebalanceWorkTests {
  private func counts(begun: Int = 0, moved: Int = 0, failed: Int = 0, ended: Int = 0) -> MoveCounts {
    var counts = MoveCounts()
    (counts.begun, counts.moved, counts.failed, counts.ended) = (begun, moved, failed, ended)
    return counts
  }

  @Test func noMoreIsBegunThanWasPlannedAndWhatWasBeforeDoesNotCount() {
    let work = RebalanceWork(id: "x", planned: 10, counts: counts(begun: 100, moved: 90), now: .zero)
    #expect(work.allowance(counts(begun: 100)) == 10)
    #expect(work.allowance(counts(begun: 107)) == 3)
    #expect(work.allowance(counts(begun: 110)) == 0)
    #expect(work.allowance(counts(begun: 111)) == 0)
  }

  @Test func itIsDoneWhenEverythingThatWasPlannedHasEndedOneWayOrAnother() {
    var work = RebalanceWork(id: "x", planned: 4, counts: counts(), now: .zero)
    let underWay = work.progress(counts(begun: 4, moved: 2), underWay: 2, movable: 0, now: .seconds(1))
    #expect(underWay == .init(moved: 2, failed: 0, ended: 0, left: 2, isDone: false))
    let over = work.progress(counts(begun: 4, moved: 2, failed: 1, ended: 1), underWay: 0, movable: 0, now: .seconds(2))
    #expect(over == .init(moved: 2, failed: 1, ended: 1, left: 0, isDone: true))
  }

  @Test func itIsDoneWhenNobodyIsLeftWhoCouldBeAsked() {
    var work = RebalanceWork(id: "x", planned: 4, counts: counts(), now: .zero)
    #expect(!work.progress(counts(), underWay: 0, movable: nil, now: .seconds(1)).isDone)
    #expect(!work.progress(counts(), underWay: 0, movable: 3, now: .seconds(1)).isDone)
    let done = work.progress(counts(), underWay: 0, movable: 0, now: .seconds(1))
    #expect(done.isDone && done.left == 4)
  }

  @Test func targetsThatTakeNobodyAreWaitedForWithPatienceOnly() {
    var work = RebalanceWork(id: "x", planned: 4, counts: counts(), now: .zero)
    let limit = RebalanceWork.patience
    #expect(!work.progress(counts(begun: 1, moved: 1), underWay: 0, movable: 3, now: .seconds(10)).isDone)
    #expect(!work.progress(counts(begun: 1, moved: 1), underWay: 0, movable: 3, now: limit + .seconds(9)).isDone)
    #expect(work.progress(counts(begun: 1, moved: 1), underWay: 0, movable: 3, now: limit + .seconds(10)).isDone)
  }

  @Test func aStopBeginsNothingMoreAndWaitsForWhatIsUnderWay() {
    var work = RebalanceWork(id: "x", planned: 4, counts: counts(), now: .zero)
    work.stop()
    #expect(work.allowance(counts(begun: 1)) == 0)
    #expect(!work.progress(counts(begun: 1), underWay: 1, movable: 3, now: .seconds(1)).isDone)
    #expect(work.progress(counts(begun: 1, moved: 1), underWay: 0, movable: 3, now: .seconds(2)).isDone)
  }

  @Test func whoIsSentAwayCountsAsMoved() {
    var work = RebalanceWork(id: "x", planned: 4, counts: counts(), now: .zero)
    work.sentAway(3)
    #expect(work.allowance(counts()) == 1)
    let progress = work.progress(counts(begun: 1, moved: 1), underWay: 0, movable: nil, now: .seconds(1))
    #expect(progress == .init(moved: 4, failed: 0, ended: 0, left: 0, isDone: true))
  }
}
