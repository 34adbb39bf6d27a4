import HTTP2Wire
import Testing

@Suite struct FlowWindowTests {
  @Test func takingMoreThanThereIsFailsAndChangesNothing() throws {
    var window = FlowWindow(initial: 10)
    try window.take(10, stream: 1)
    #expect(throws: HTTP2Error(.flowControlError, stream: 1, "1 bytes of DATA; the window is 0")) {
      try window.take(1, stream: 1)
    }
    try window.take(0, stream: 1)
    #expect(window.available == 0)
  }

  @Test func theWindowEndsAtTwoToTheThirtyFirstMinusOne() throws {
    var window = FlowWindow()
    try window.widen(by: 0x7fff_ffff - 65_535, stream: 3)
    #expect(window.available == FlowWindow.maximum)
    do {
      try window.widen(by: 1, stream: 3)
      Issue.record("no error")
    } catch { #expect(error.code == .flowControlError && error.stream == 3) }
    do {
      try window.initialChanged(from: 0, to: 1)
      Issue.record("no error")
    } catch { #expect(error.code == .flowControlError && error.stream == 0) }
    #expect(window.available == FlowWindow.maximum)
  }

  /// The example of RFC 9113, section 6.9.2.
  @Test func aSmallerInitialWindowMayLeadBelowZero() throws {
    var window = FlowWindow()
    try window.take(60 * 1_024, stream: 1)
    try window.initialChanged(from: 65_535, to: 16 * 1_024)
    #expect(window.available == 16 * 1_024 - 60 * 1_024)
    try window.take(0, stream: 1)
    #expect(throws: HTTP2Error.self) { try window.take(1, stream: 1) }
  }

  @Test func aReceiverUpdatesWhenHalfIsFree() throws {
    var window = ReceiveWindow(size: 100)
    #expect(window.release(0) == nil)
    try window.receive(60, stream: 1)
    #expect(window.release(49) == nil)
    #expect(window.release(1) == 50)
    #expect(window.available == 90)
    #expect(throws: HTTP2Error.self) { try window.receive(91, stream: 1) }
    try window.receive(90, stream: 1)
    #expect(window.release(100) == 100)
    #expect(window.release(1_000) == nil && window.available == 100)
  }

  @Test func aConnectionsWindowIsRaisedAtTheStart() throws {
    var window = ReceiveWindow(size: 1 << 20, initial: 65_535)
    #expect(window.available == 65_535)
    #expect(window.release(0) == 983_041)
    #expect(window.available == 1 << 20)
  }
}
