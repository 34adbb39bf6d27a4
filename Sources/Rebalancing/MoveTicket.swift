public import Placement

/// What a client carries from the pod that asks it to move to the pod that it moves to: opaque to the client.
///
/// It makes no claim that has to be trusted. It says that the old stream still lives, so that the new pod releases that
/// one only after its own Welcome, and gives the record back should it not come to a Welcome.
public struct MoveTicket: Hashable, Sendable {
  /// The incarnation that the session leaves.
  public let source: Incarnation
  /// The incarnation that the session was sent to; another one may take it all the same.
  public let target: Incarnation
  /// Counts the moves of the source.
  public let number: UInt64

  public init(source: Incarnation, target: Incarnation, number: UInt64) {
    self.source = source
    self.target = target
    self.number = number
  }

  private static let format: UInt8 = 1
  private static let length = 25

  /// A byte for the format, then three numbers of eight bytes, the lowest first.
  public var bytes: [UInt8] {
    [Self.format]
      + [source.rawValue, target.rawValue, number].flatMap { number in
        (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
      }
  }

  /// Nil when the bytes are no ticket of this format, for example of another version: the session is then opened as
  /// any other.
  public init?(bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    guard bytes.count == Self.length, bytes[0] == Self.format else { return nil }
    func number(_ index: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(bytes[1 + index * 8 + $1]) << ($1 * 8) }
    }
    self.init(source: Incarnation(rawValue: number(0)), target: Incarnation(rawValue: number(1)), number: number(2))
  }
}
