import Placement
import Testing

/// Reports over a network that loses, doubles and overtakes.
@Suite struct StrayReportTests {
  let views = window(view(1, active: [1, 2]))

  private func users(_ count: Int) -> [UInt64] {
    var found: [UInt64] = []
    var number: UInt64 = 0
    while found.count < count {
      number += 1
      let hash = number &* 0x9E37_79B9_7F4A_7C15
      if views.current.owner(ofUserHash: hash)?.incarnation == incarnation(2) { found.append(hash) }
    }
    return found
  }

  @Test func aLostReportIsSentAgain() throws {
    var (one, two) = (member(1, views), member(2, views))
    let ann = users(1)[0]
    one.sessionArriving(userHash: ann)
    let lost = try #require(one.nextReport(to: incarnation(2)))
    let again = try #require(one.nextReport(to: incarnation(2)))
    #expect(lost == again)
    #expect(one.receiptReceived(two.record(again), from: incarnation(2)) == .changed)
    #expect(one.nextReport(to: incarnation(2)) == nil)
  }

  @Test func aDoubledReportCountsOnce() throws {
    var (one, two) = (member(1, views), member(2, views))
    let ann = users(1)[0]
    one.sessionArriving(userHash: ann)
    let report = try #require(one.nextReport(to: incarnation(2)))
    _ = one.receiptReceived(two.record(report), from: incarnation(2))
    one.sessionEnded(userHash: ann)
    let retraction = try #require(one.nextReport(to: incarnation(2)))
    _ = two.record(retraction)
    // Late, and once more: it must not bring the stray back.
    #expect(two.record(report).recordedThrough == 2)
    #expect(two.strayCount == 0)
  }

  @Test func aRetractionThatOvertakesItsReportWaits() {
    var two = member(2, views)
    let ann = users(1)[0]
    func entry(_ number: UInt64, _ isRetraction: Bool) -> StrayReport {
      StrayReport(
        reporter: incarnation(1), owner: incarnation(2), series: 1, firstNumber: number,
        entries: [StrayEntry(userHash: ann, isRetraction: isRetraction)])
    }
    #expect(two.record(entry(2, true)).recordedThrough == 0)
    #expect(two.record(entry(1, false)).recordedThrough == 1)
    #expect(two.strayCount == 1)
    #expect(two.record(entry(2, true)).recordedThrough == 2)
    #expect(two.strayCount == 0)
  }

  @Test func reportsAreBatched() throws {
    var (one, two) = (member(1, views), member(2, views))
    for hash in users(10) { one.sessionArriving(userHash: hash) }
    let first = try #require(one.nextReport(to: incarnation(2), limit: 4))
    #expect(first.entries.count == 4)
    _ = one.receiptReceived(two.record(first), from: incarnation(2))
    let second = try #require(one.nextReport(to: incarnation(2), limit: 100))
    #expect((second.firstNumber, second.entries.count) == (5, 6))
    _ = one.receiptReceived(two.record(second), from: incarnation(2))
    #expect(two.strayCount == 10)
  }

  @Test func anOwnerThatForgotIsToldEverythingAgain() throws {
    var (one, two) = (member(1, views), member(2, views))
    let hashes = users(3)
    for hash in hashes { one.sessionArriving(userHash: hash) }
    let old = try #require(one.nextReport(to: incarnation(2)))
    _ = one.receiptReceived(two.record(old), from: incarnation(2))
    two = member(2, views)
    one.sessionEnded(userHash: hashes[0])
    let next = try #require(one.nextReport(to: incarnation(2)))
    #expect(one.receiptReceived(two.record(next), from: incarnation(2)) == .changed)
    #expect(one.admission(ofUserHash: hashes[1], now: .zero) == .waiting(until: nil))
    let again = try #require(one.nextReport(to: incarnation(2)))
    #expect(again.series > old.series)
    _ = one.receiptReceived(two.record(again), from: incarnation(2))
    #expect(two.strayCount == 2)
    // A late message of the earlier series changes nothing.
    _ = two.record(old)
    #expect(two.strayCount == 2)
  }

  /// Found by the simulation: a registry that lost data brings an owner back that a view was without.
  @Test func anOwnerThatComesBackForgetsWhatTheReporterForgot() throws {
    var (one, two) = (member(1, views), member(2, views))
    let hashes = users(2)
    one.sessionArriving(userHash: hashes[0])
    _ = one.receiptReceived(two.record(try #require(one.nextReport(to: incarnation(2)))), from: incarnation(2))
    #expect(two.strayCount == 1)
    let without = view(2, active: [1])
    _ = one.windowChanged(Window(settled: views.current, current: without), claimsEnd: .zero)
    one.sessionEnded(userHash: hashes[0])
    let again = view(3, active: [1, 2])
    _ = one.windowChanged(Window(settled: without, current: again), claimsEnd: .zero)
    _ = two.windowChanged(Window(settled: views.current, current: again), claimsEnd: .zero)
    // Nothing to tell but that; it goes on until a receipt comes.
    #expect(one.ownersToTell == [incarnation(2)])
    let report = try #require(one.nextReport(to: incarnation(2)))
    #expect(report.startsOver && report.entries.isEmpty)
    _ = one.receiptReceived(two.record(report), from: incarnation(2))
    #expect(two.strayCount == 0 && one.ownersToTell == [])
    one.sessionArriving(userHash: hashes[1])
    let next = try #require(one.nextReport(to: incarnation(2)))
    _ = one.receiptReceived(two.record(next), from: incarnation(2))
    // Once more, and late: it forgets nothing of its own series.
    _ = two.record(report)
    #expect(two.strayCount == 1)
  }

  @Test func aRestartRepeatsAndDoesNotForget() throws {
    var (one, two) = (member(1, views), member(2, views))
    let ann = users(1)[0]
    one.sessionArriving(userHash: ann)
    _ = one.receiptReceived(two.record(try #require(one.nextReport(to: incarnation(2)))), from: incarnation(2))
    one.resumed(views, leaseEnds: .seconds(9), claimsEnd: .zero)
    let report = try #require(one.nextReport(to: incarnation(2)))
    #expect(!report.startsOver)
    _ = two.record(report)
    #expect(two.strayCount == 1)
  }
}
