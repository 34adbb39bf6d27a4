import Testing

@testable import EpollSessionEdge

@Suite struct TimerWheelTests {
  @Test func everyDeadlineIsMetOnceAndNotEarly() {
    var wheel = TimerWheel(now: 1_000)
    // Within a turn of the wheel, at its end, and several turns ahead.
    let times: [Int64] = [900, 1_000, 1_001, 1_049, 1_050, 1_051, 30_000, 52_199, 52_200, 52_250, 400_000]
    for (token, time) in times.enumerated() { wheel.add(UInt64(token), at: time) }
    var met: [UInt64: Int64] = [:]
    var now: Int64 = 1_000
    while wheel.count > 0 {
      for entry in wheel.due(now: now) {
        #expect(met[entry.token] == nil)
        met[entry.token] = now
      }
      now += 7
    }
    for (token, time) in times.enumerated() {
      let when = met[UInt64(token)] ?? .min
      #expect(when >= time && when <= max(time, 1_000) + 2 * TimerWheel.slotWidth, "\(time) was met at \(when)")
    }
  }

  @Test func aLongStopMissesNothing() {
    var wheel = TimerWheel(now: 0)
    for token in 0..<1_000 { wheel.add(UInt64(token), at: Int64(token) * 50) }
    #expect(wheel.due(now: 10_000_000).count == 1_000)
    #expect(wheel.wait(now: 10_000_000) == nil)
  }

  @Test func theWaitEndsWhenSomethingMayBeDue() {
    var wheel = TimerWheel(now: 1_000)
    #expect(wheel.wait(now: 1_000) == nil)
    wheel.add(1, at: 5_000)
    #expect(wheel.due(now: 1_000).isEmpty)
    #expect(wheel.wait(now: 1_010) == 3_990)
  }
}
