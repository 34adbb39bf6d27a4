import CHiredis
import NIOCore

extension ByteBuffer {
  /// Appends the command as hiredis formats it.
  mutating func writeRedisCommand(_ command: RedisCommand) {
    let lengths = command.arguments.map { $0.bytes.count }
    // One block for all arguments, so that a single scope keeps every pointer valid. The spare byte keeps its base
    // address non-nil when all arguments are empty.
    var block: [UInt8] = []
    block.reserveCapacity(lengths.reduce(1, +))
    for argument in command.arguments { block.append(contentsOf: argument.bytes) }
    block.append(0)
    block.withUnsafeBytes { bytes in
      let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      var offset = 0
      var pointers = lengths.map { length -> UnsafePointer<CChar>? in
        defer { offset += length }
        return base.map { $0 + offset }
      }
      var formatted: UnsafeMutablePointer<CChar>?
      let count = redisFormatCommandArgv(&formatted, Int32(lengths.count), &pointers, lengths)
      guard let formatted, count >= 0 else { preconditionFailure("no memory to format a Redis command") }
      writeBytes(UnsafeRawBufferPointer(start: formatted, count: Int(count)))
      redisFreeCommand(formatted)
    }
  }
}
