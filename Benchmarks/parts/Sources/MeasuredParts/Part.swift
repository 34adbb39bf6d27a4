/// One thing that PushRing does many times a second, by itself: on input made beforehand, and without a connection,
/// clock or other thread.
public struct Part: Sendable {
  /// Does the operation that many times. The sum stands for the results, so that the compiler can't leave any out.
  public typealias Run = (_ count: Int) throws -> UInt64

  public let name: String
  /// How many operations are counted, after as many that are not: several of each case.
  public let counted: Int
  /// An operation takes far longer than a clock's resolution.
  public var isLong: Bool { counted <= 10 }
  /// Makes the input.
  public let prepare: @Sendable () throws -> Run

  /// - Parameters:
  ///   - counted: a multiple of the number of cases that `operation` takes in turn.
  ///   - operation: gets the operation's number, from 0, and gives something of its result.
  init<Input>(
    _ name: String, counted: Int = 1_024, input: @escaping @Sendable () throws -> Input,
    operation: @escaping @Sendable (inout Input, Int) throws -> Int
  ) {
    self.name = name
    self.counted = counted
    prepare = {
      var input = try input()
      var number = 0
      return { count in try Self.repeated(count, from: &number, on: &input, operation) }
    }
  }

  private static func repeated<Input>(
    _ count: Int, from number: inout Int, on input: inout Input, _ operation: (inout Input, Int) throws -> Int
  ) rethrows -> UInt64 {
    var sum: UInt64 = 0
    for _ in 0..<count {
      sum &+= UInt64(truncatingIfNeeded: try operation(&input, number))
      number += 1
    }
    return sum
  }
}

extension Part {
  /// In the order of a push's way.
  public static let all = hashAndRing + placement + routing + redis + headers + frames
}
