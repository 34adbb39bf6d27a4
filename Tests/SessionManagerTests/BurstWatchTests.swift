import Testing

@testable import SessionManager

@Suite struct BurstWatchTests {
  /// The times, in tenths of a second, at which a burst is said to be over.
  private func ends(_ registrations: [Int], queuedBytes: Int = 0) -> [Int] {
    var watch = BurstWatch()
    return registrations.indices.filter { index in
      watch.isOver(
        registrations: registrations[index], queuedBytes: queuedBytes, now: .milliseconds(1_000 + 100 * index))
    }
  }

  @Test func itIsOverOnceAndAfterASecondOfCalm() {
    #expect(ends([0, 300, 300] + Array(repeating: 10, count: 40)) == [12])
    #expect(ends([300] + Array(repeating: 0, count: 5) + [256] + Array(repeating: 255, count: 30)) == [16])
  }

  @Test func fewAreNoBurstAndOneThatGoesOnIsNotOver() {
    #expect(ends(Array(repeating: 255, count: 50)) == [])
    #expect(ends(Array(repeating: 256, count: 50)) == [])
    #expect(ends(Array(repeating: 0, count: 50), queuedBytes: 4 << 20) == [])
  }
}
