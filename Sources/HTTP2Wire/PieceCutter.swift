/// Cuts a stream of bytes into pieces that begin with a prefix of fixed length which tells the whole length.
///
/// A piece that is whole in the input is a slice of it; only what is incomplete is kept, and grows with what comes,
/// not with what the prefix announces.
struct PieceCutter: Sendable {
  private var partial: [UInt8] = []

  var isEmpty: Bool { partial.isEmpty }

  /// Bytes that are kept.
  var count: Int { partial.count }

  /// The next piece with its prefix; nil when `input` is used up.
  ///
  /// - Parameter count: the whole length that a prefix tells, prefix included, or why it is refused. It may be asked
  ///   again for the same prefix.
  mutating func next<Failure>(
    from input: inout ArraySlice<UInt8>, prefix: Int, count: (ArraySlice<UInt8>) throws(Failure) -> Int
  ) throws(Failure) -> ArraySlice<UInt8>? {
    if partial.isEmpty, input.count >= prefix {
      let whole = try count(input)
      if input.count >= whole {
        defer { input = input.dropFirst(whole) }
        return input.prefix(whole)
      }
    }
    fill(to: prefix, from: &input)
    guard partial.count >= prefix else { return nil }
    let whole = try count(partial[...])
    fill(to: whole, from: &input)
    guard partial.count == whole else { return nil }
    defer { partial = [] }
    return partial[...]
  }

  private mutating func fill(to count: Int, from input: inout ArraySlice<UInt8>) {
    let piece = input.prefix(max(0, count - partial.count))
    partial.append(contentsOf: piece)
    input = input.dropFirst(piece.count)
  }
}
