import HTTP2Wire

enum HeadersFuzz {
  /// Each control byte is the length of a block, or, from 250 on, a change of the table's maximum.
  static func check(_ input: FuzzInput) throws(Violation) {
    var decoder = HPACKDecoder(maximumListSize: 1_000)
    var rest = input.data
    for control in input.controls {
      if control >= 250 {
        decoder.setMaximumTableSize([0, 40, 100, 1_000, 4_096, 10_000][Int(control - 250)])
        continue
      }
      let block = rest.prefix(Int(control))
      rest = rest.dropFirst(block.count)
      guard try decode(block, &decoder) else { return }
    }
    _ = try decode(rest, &decoder)
  }

  /// - Returns: whether the decoder can go on.
  private static func decode(_ block: ArraySlice<UInt8>, _ decoder: inout HPACKDecoder) throws(Violation) -> Bool {
    var again = decoder
    var (list, repeated) = (HeaderList(), HeaderList())
    let outcome: HPACKDecoder.Outcome
    do throws(HTTP2Error) {
      outcome = try decoder.decode(block, into: &list)
    } catch {
      try require(error.stream == 0, "a header block's error is the connection's")
      return false
    }
    try require(decoder.tableSize <= 10_000, "a table of \(decoder.tableSize) bytes")
    try require(list.size <= 1_000, "a list of \(list.size) bytes")
    try require(
      (try? again.decode(block, into: &repeated)) == outcome && repeated == list, "decoded twice, not the same")
    try checkEncoding(list)
    return true
  }

  /// What was decoded survives our encoder, with a table and without.
  private static func checkEncoding(_ list: HeaderList) throws(Violation) {
    for (size, usesHuffman) in [(0, true), (200, true), (4_096, false)] {
      var encoder = HPACKEncoder(tableSize: size, usesHuffman: usesHuffman)
      var decoder = HPACKDecoder(maximumListSize: 1 << 20)
      for _ in 0..<2 {
        var block: [UInt8] = []
        encoder.encode(list, into: &block)
        var decoded = HeaderList()
        guard (try? decoder.decode(block[...], into: &decoded)) == .complete else {
          throw Violation("what was encoded cannot be decoded")
        }
        let isSame =
          decoded.count == list.count && zip(decoded, list).allSatisfy { $0.name == $1.name && $0.value == $1.value }
        try require(isSame, "what was encoded is decoded as something else")
        try require(decoder.tableSize == encoder.tableSize, "the tables differ")
      }
    }
  }
}
