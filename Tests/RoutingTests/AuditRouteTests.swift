import Placement
import Routing
import Sessions
import Testing

@Suite struct AuditRouteTests {
  let window: Window
  let hash: UInt64
  let owner = member(1)
  let other = member(2)

  init() throws {
    window = try RoutingTests.window(1...3)
    hash = try window.hash(ownedBy: 1)
  }

  /// Sessions of an epoch below 100 were open long before the push.
  func audited() -> RouteDriver {
    RouteDriver(userHash: hash, window, audits: AuditRequest(epochsBefore: Epoch(rawValue: 100)))
  }

  @Test func aClaimThatTheRegistryConfirmsAgrees() throws {
    var push = audited()
    push.answer(owner, [try outcome("desk")], complete: true)
    #expect(push.wants == ["read"])
    push.handle(.recordsRead([try record("desk", at: 1)]))
    let result = try #require(push.result)
    #expect(result.audit == .agreed)
    #expect(result.route == .ring && result.completeness == .complete)
    #expect(result.registryReads == 1)
  }

  @Test func aSessionThatTheClaimLeftOutIsCountedAndReached() throws {
    var push = audited()
    push.answer(owner, [try outcome("desk")], complete: true)
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2, epoch: 50)]))
    #expect(push.wants == ["deliver pod-2 phone@50"])
    push.answer(other, [try outcome("phone", epoch: 50)])
    let result = try #require(push.result)
    #expect(result.audit == .disagreed(1))
    #expect(push.outcomes == ["desk pod-1 delivered", "phone pod-2 delivered"])
  }

  @Test func aSessionThatIsOnlyNowWelcomedIsNoContradiction() throws {
    var push = audited()
    push.answer(owner, [try outcome("desk")], complete: true)
    push.handle(.recordsRead([try record("desk", at: 1), try record("phone", at: 2, epoch: 150)]))
    push.answer(other, [try outcome("phone", epoch: 150)])
    #expect(push.result?.audit == .agreed)
  }

  @Test func aRecordWithoutAStreamIsNoContradiction() throws {
    var push = audited()
    push.answer(owner, [try outcome("desk")], complete: true)
    let old = [try record("desk", at: 1), try record("phone", at: 2, epoch: 50)]
    push.handle(.recordsRead(old))
    push.answer(other, [try outcome("phone", .gone)])
    push.handle(.recordsRead([try record("desk", at: 1)]))
    #expect(push.result?.audit == .agreed)
  }

  @Test func withoutARegistryTheClaimStands() throws {
    var push = audited()
    push.answer(owner, [try outcome("desk")], complete: true)
    push.handle(.recordsFailed("away"))
    let result = try #require(push.result)
    #expect(result.audit == .none && result.route == .ring && result.completeness == .complete)
  }
}
