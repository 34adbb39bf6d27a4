internal import Foundation

/// The lines that come from a descriptor, read on a thread of their own: reading blocks.
func inputLines(_ handle: FileHandle) -> AsyncStream<String> {
  let (stream, continuation) = AsyncStream.makeStream(of: String.self)
  let thread = Thread {
    var pending = Data()
    while true {
      let piece = handle.availableData
      guard !piece.isEmpty else { break }
      pending.append(piece)
      while let end = pending.firstIndex(of: 0x0a) {
        continuation.yield(String(decoding: pending[pending.startIndex..<end], as: UTF8.self))
        pending.removeSubrange(pending.startIndex...end)
      }
    }
    continuation.finish()
  }
  thread.start()
  return stream
}
