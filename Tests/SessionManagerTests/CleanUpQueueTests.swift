import Placement
import Sessions
import Testing

@testable import SessionManager

@Suite struct CleanUpQueueTests {
  private func record(_ user: String, epoch: UInt64 = 1) throws -> SessionRecord {
    SessionRecord(
      key: SessionKey(user: try UserID(user), session: try SessionID("phone")), podID: "pod-0",
      incarnation: Incarnation(rawValue: 7), epoch: Epoch(rawValue: epoch))
  }

  private func add(_ cleanUps: [CleanUp], to queue: inout CleanUpQueue) {
    for cleanUp in cleanUps {
      let isTaken = queue.add(cleanUp)
      #expect(isTaken)
    }
  }

  /// One session that is registered again and again holds up nobody, and nothing is forgotten of it.
  @Test func whatIsTooEarlyWaitsApart() throws {
    var queue = CleanUpQueue(capacity: 100)
    let restless = CleanUp.unregister(try record("restless"))
    let others = try (0..<20).map { CleanUp.unregister(try record("other-\($0)")) }
    add([restless] + others, to: &queue)
    var done: [CleanUp] = []
    var pauses: [CleanUpQueue.Pauses] = []
    while let batch = queue.take(5) {
      done += batch.filter { $0 != restless }
      pauses.append(queue.finished(batch.map { ($0, $0 == restless ? .tooEarly : .done) }))
    }
    #expect(done == others)
    #expect(pauses.count { $0.beforeNext } == 0)
    #expect(pauses.count { $0.beforeDeferred } == 1)
    #expect(!queue.isIdle)
    queue.retryDeferred()
    let again = queue.take(5)
    #expect(again == [restless])
    let after = queue.finished([(restless, .done)])
    #expect(after == CleanUpQueue.Pauses())
    #expect(queue.isIdle)
  }

  @Test func ofASessionThatCameAndWentTheLastRecordCounts() throws {
    var queue = CleanUpQueue(capacity: 100)
    let (last, verify) = (CleanUp.unregister(try record("ann", epoch: 9)), CleanUp.verify(try record("ann").key))
    let all: [CleanUp] = [
      .unregister(try record("ann", epoch: 3)), last, verify, .unregister(try record("ann", epoch: 5)),
    ]
    add(all, to: &queue)
    let taken = queue.take(100) ?? []
    #expect(taken == all)
    _ = queue.finished(taken.map { ($0, .tooEarly) })
    queue.retryDeferred()
    let again = queue.take(100)
    #expect(again == [last, verify])
  }

  @Test func whileTheRegistryIsAwayNothingElseIsTriedForAWhile() throws {
    var queue = CleanUpQueue(capacity: 2)
    let cleanUp = CleanUp.restore(try record("ann"))
    add([cleanUp], to: &queue)
    let taken = queue.take(5) ?? []
    let pauses = queue.finished(taken.map { ($0, .registryAway) })
    #expect(pauses == CleanUpQueue.Pauses(beforeNext: true))
    let again = queue.take(5)
    #expect(again == [cleanUp])
  }

  /// The bound holds for those that wait apart too.
  @Test func tooManyAreNotTaken() throws {
    var queue = CleanUpQueue(capacity: 2)
    let first = CleanUp.unregister(try record("ann"))
    add([first], to: &queue)
    _ = queue.take(1)
    _ = queue.finished([(first, .tooEarly)])
    add([.unregister(try record("bob"))], to: &queue)
    let isTaken = queue.add(.unregister(try record("eve")))
    #expect(!isTaken)
  }
}
