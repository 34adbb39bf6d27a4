/// One message of a gRPC stream, as it came (gRPC over HTTP2, "Length-Prefixed-Message").
public struct GRPCMessage: Hashable, Sendable {
  /// The bytes are compressed as the `grpc-encoding` header says.
  public let compressed: Bool
  public let bytes: ArraySlice<UInt8>
}

/// A stream that is no sequence of messages, or one with a message that is too large; it ends the call.
public struct GRPCFramingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// For `grpc-status`: 8, RESOURCE_EXHAUSTED, or 13, INTERNAL, when a reader found it.
  public let status: Int
  /// For `grpc-message`.
  public let message: String

  public init(status: Int, message: String) {
    self.status = status
    self.message = message
  }

  public var description: String { message }
}

/// Cuts one direction of a stream's DATA into messages, whatever pieces it comes in: a compressed flag, four bytes of
/// length, the message.
///
/// It holds at most one incomplete message. A message that is whole in its piece of input is handed out as a slice of
/// that.
public struct GRPCMessageReader: Sendable {
  private static let prefixCount = 5

  // In few bytes, as there are thousands of readers.
  private var state = State.reading(PieceCutter())
  private let maximumMessageSize: UInt32

  private enum State: Sendable {
    case reading(PieceCutter)
    case failed(Failure)
  }

  private final class Failure: Sendable {
    let error: GRPCFramingError
    init(_ error: GRPCFramingError) { self.error = error }
  }

  /// - Parameter maximumMessageSize: bytes of a message, as it is on the wire; gRPC's usual limit is 4 MiB.
  public init(maximumMessageSize: Int = 4_194_304) {
    self.maximumMessageSize = UInt32(clamping: maximumMessageSize)
  }

  /// Whether the input so far ends after a message: if not, and the stream ends, it was cut off.
  public var isBetweenMessages: Bool { incompleteBytes == 0 }

  /// Bytes that are kept of a message that is not complete.
  public var incompleteBytes: Int { if case .reading(let cutter) = state { cutter.count } else { 0 } }

  /// Gives up an incomplete message, for a call of which nothing more is wanted: what comes later makes no sense.
  public mutating func drop() { if case .reading = state { state = .reading(PieceCutter()) } }

  /// The next message; nil when `input` is used up. What is taken is removed from the front of `input`.
  ///
  /// - Throws: RESOURCE_EXHAUSTED as soon as a length above the maximum is seen, INTERNAL for a compressed flag that is
  ///   neither 0 nor 1; and the same from then on.
  public mutating func next(from input: inout ArraySlice<UInt8>) throws(GRPCFramingError) -> GRPCMessage? {
    var cutter = PieceCutter()
    switch state {
    case .reading(let current): cutter = current
    case .failed(let failure): throw failure.error
    }
    // Held once while it grows.
    state = .reading(PieceCutter())
    let maximum = Int(maximumMessageSize)
    do {
      let whole = try cutter.next(from: &input, prefix: Self.prefixCount) { bytes throws(GRPCFramingError) in
        Self.prefixCount + (try Self.messageSize(bytes, atMost: maximum))
      }
      state = .reading(cutter)
      return whole.map { GRPCMessage(compressed: $0.first == 1, bytes: $0.dropFirst(Self.prefixCount)) }
    } catch {
      state = .failed(Failure(error))
      throw error
    }
  }

  private static func messageSize(
    _ prefix: ArraySlice<UInt8>, atMost maximum: Int
  ) throws(GRPCFramingError) -> Int {
    guard prefix[prefix.startIndex] <= 1 else {
      throw GRPCFramingError(status: 13, message: "a message's compressed flag is neither 0 nor 1")
    }
    let size = Int(prefix.bigEndian32(at: prefix.startIndex + 1))
    guard size <= maximum else {
      throw GRPCFramingError(status: 8, message: "a message of \(size) bytes; at most \(maximum) are allowed")
    }
    return size
  }
}

/// Appends length-prefixed messages to a buffer.
public enum GRPCMessageWriter {
  /// The prefix and the message, of at most 2^32 - 1 bytes.
  public static func append(_ message: ArraySlice<UInt8>, compressed: Bool = false, to output: inout [UInt8]) {
    appendPrefix(count: message.count, compressed: compressed, to: &output)
    output.append(contentsOf: message)
  }

  /// Only the five bytes before a message of `count` bytes, which the caller appends or sends from where it is.
  public static func appendPrefix(count: Int, compressed: Bool = false, to output: inout [UInt8]) {
    output.append(compressed ? 1 : 0)
    output.appendBigEndian(UInt32(count))
  }
}
