/// One call as application and engine see it.
internal import EdgeEngine
internal import HTTP2Wire
internal import SessionEdge

final class EdgeStream: EdgeCall {
  let id: UInt64
  /// Where the connection is among its loop's; later there may be another one.
  let connection: UInt32
  let stream: StreamIdentifier
  let loop: EdgeLoop
  /// Safe although it is not checked: it is set by the loop's thread before that hands the call's first event out, and read
  /// and cleared by that thread only.
  nonisolated(unsafe) private(set) var handler: (any EdgeCallHandler)?

  init(id: UInt64, connection: UInt32, stream: StreamIdentifier, loop: EdgeLoop) {
    self.id = id
    self.connection = connection
    self.stream = stream
    self.loop = loop
  }

  /// On the loop's thread.
  func attach(_ handler: any EdgeCallHandler) { self.handler = handler }

  /// On the loop's thread.
  func detach() -> (any EdgeCallHandler)? { handler.take() }

  func send(_ message: [UInt8]) { loop.post(.send(self, message, isAnswer: false)) }

  func answer(_ message: [UInt8]) { loop.post(.send(self, message, isAnswer: true)) }

  func queue(_ message: [UInt8], displacingBeyond limit: Int?) -> (any EdgeWake)? {
    let command =
      limit.map { EdgeLoop.Command.sendDisplacing(self, message, limit: $0) } ?? .send(self, message, isAnswer: false)
    return loop.enqueue(command) ? loop : nil
  }

  func end(_ status: EdgeStatus) { loop.post(.end(self, status)) }

  func endNow(_ status: EdgeStatus) { loop.post(.endNow(self, status)) }
}

/// Names a connection of a loop; the generation tells it from an earlier one in the same place.
struct ConnectionToken: Hashable, Sendable {
  let index: UInt32
  let generation: UInt32

  init(index: Int, generation: UInt32) {
    self.index = UInt32(index)
    self.generation = generation
  }

  init(_ value: UInt64) {
    index = UInt32(truncatingIfNeeded: value)
    generation = UInt32(truncatingIfNeeded: value >> 32)
  }

  var value: UInt64 { UInt64(generation) << 32 | UInt64(index) }
}
