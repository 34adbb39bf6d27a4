import Testing

@testable import HTTP2Wire

@Suite struct HPACKTests {
  /// What comes of one block in a new decoder, or in `decoder`.
  private func decode(_ block: [UInt8], _ decoder: inout HPACKDecoder) throws(HTTP2Error) -> HeaderList {
    var list = HeaderList()
    _ = try decoder.decode(block[...], into: &list)
    return list
  }

  private func decode(_ text: String) throws(HTTP2Error) -> HeaderList {
    var decoder = HPACKDecoder()
    return try decode(hex(text), &decoder)
  }

  private func isCompressionError(_ block: [UInt8]) -> Bool {
    var decoder = HPACKDecoder()
    do { _ = try decode(block, &decoder) } catch { return error.code == .compressionError && error.stream == 0 }
    return false
  }

  // MARK: - RFC 7541, appendix C

  @Test(arguments: [(10, 5, "0a"), (1_337, 5, "1f9a0a"), (42, 8, "2a"), (0x7fff_ffff, 1, "01feffffff07")])
  func integers(value: Int, prefix: Int, text: String) throws {
    var bytes: [UInt8] = []
    HPACKInteger.append(value, prefix: prefix, pattern: 0, to: &bytes)
    #expect(bytes == hex(text))
    var offset = 0
    #expect(try HPACKInteger.read(prefix: prefix, from: bytes.span, at: &offset) == value)
    #expect(offset == bytes.count)
  }

  @Test func aLiteralWithIndexing() throws {
    var decoder = HPACKDecoder()
    let block = hex("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572")
    #expect(try decode(block, &decoder) == ["custom-key": "custom-header"])
    #expect(decoder.tableSize == 55)
    #expect(try decode([0xbe], &decoder) == ["custom-key": "custom-header"])
  }

  @Test func aLiteralWithoutIndexing() throws {
    var decoder = HPACKDecoder()
    #expect(try decode(hex("040c 2f73 616d 706c 652f 7061 7468"), &decoder) == [":path": "/sample/path"])
    #expect(decoder.tableSize == 0)
    var encoder = HPACKEncoder(usesHuffman: false)
    var bytes: [UInt8] = []
    encoder.encode([":path": "/sample/path"], into: &bytes)
    #expect(bytes == hex("040c 2f73 616d 706c 652f 7061 7468"))
  }

  @Test func aLiteralNeverIndexed() throws {
    var secret = HeaderList()
    secret.append("password", "secret", sensitive: true)
    let block = hex("1008 7061 7373 776f 7264 0673 6563 7265 74")
    var decoder = HPACKDecoder()
    #expect(try decode(block, &decoder) == secret)
    #expect(decoder.tableSize == 0)
    var encoder = HPACKEncoder(tableSize: 4_096, usesHuffman: false)
    var bytes: [UInt8] = []
    encoder.encode(secret, into: &bytes)
    #expect(bytes == block && encoder.tableSize == 0)
  }

  @Test func anIndexedField() throws { #expect(try decode("82") == [":method": "GET"]) }

  @Test(arguments: HPACKExample.all) func seriesOfBlocksAreDecoded(example: HPACKExample) throws {
    var decoder = HPACKDecoder()
    var update: [UInt8] = []
    HPACKInteger.append(example.tableSize, prefix: 5, pattern: 0x20, to: &update)
    _ = try decode(update, &decoder)
    for block in example.blocks {
      #expect(try decode(hex(block.hex), &decoder) == block.fields)
      #expect(decoder.tableSize == block.tableSize)
    }
  }

  @Test(arguments: HPACKExample.all) func seriesOfBlocksAreEncodedToTheSameBytes(example: HPACKExample) throws {
    var encoder = HPACKEncoder(tableSize: example.tableSize, usesHuffman: example.huffman)
    var first: [UInt8] = []
    encoder.encode([:], into: &first)
    #expect(first == (example.tableSize == 4_096 ? [] : hex("3fe101")))
    for block in example.blocks {
      var bytes: [UInt8] = []
      encoder.encode(block.fields, into: &bytes)
      #expect(bytes == hex(block.hex))
      #expect(encoder.tableSize == block.tableSize)
    }
  }

  // MARK: - Both directions

  private func randomList(_ generator: inout SeededGenerator) -> HeaderList {
    let names = [":path", "x", "grpc-timeout", "content-type", "cookie", "authorization", "a-name-that-is-long", ""]
    var list = HeaderList()
    for _ in 0..<Int.random(in: 0...12, using: &generator) {
      let name = names.randomElement(using: &generator)!
      let few = [UInt8](repeating: .random(in: 48...52, using: &generator), count: 6)
      let value = Bool.random(using: &generator) ? few : generator.bytes(.random(in: 0...200, using: &generator))
      let sensitive = ["cookie", "authorization"].contains(name) || Int.random(in: 0...5, using: &generator) == 0
      list.append(name: name.utf8, value: value, sensitive: sensitive)
    }
    return list
  }

  @Test(arguments: UInt64(1)...40) func whatIsEncodedIsDecodedWhileTablesChange(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let wanted = [0, 0, 100, 256, 4_096, 10_000].randomElement(using: &generator)!
    var encoder = HPACKEncoder(tableSize: wanted, usesHuffman: .random(using: &generator))
    var decoder = HPACKDecoder(maximumListSize: 1 << 20)
    for _ in 0..<60 {
      for _ in 0..<Int.random(in: 0...2, using: &generator) where Int.random(in: 0...9, using: &generator) == 0 {
        let size = [0, 50, 300, 4_096, 9_000].randomElement(using: &generator)!
        encoder.setPeerTableSize(size)
        decoder.setMaximumTableSize(size)
      }
      let list = randomList(&generator)
      var block: [UInt8] = []
      encoder.encode(list, into: &block)
      let decoded = try decode(block, &decoder)
      #expect(decoded == list)
      #expect(decoder.tableSize == encoder.tableSize && decoder.tableSize <= wanted)
    }
  }

  @Test func secretsNeverEnterATable() throws {
    var encoder = HPACKEncoder(tableSize: 4_096)
    var block: [UInt8] = []
    encoder.encode(["authorization": "a", "proxy-authorization": "b", "cookie": "c"], into: &block)
    #expect(encoder.tableSize == 0)
    var decoder = HPACKDecoder()
    #expect(try decode(block, &decoder).map(\.sensitive) == [true, true, true])
    #expect(decoder.tableSize == 0)
  }

  // MARK: - Huffman

  @Test func everySymbolSurvivesBetweenOthers() throws {
    #expect(HuffmanCode.lengths.reduce(0) { $0 + (1 << (30 - Int($1))) } == 1 << 30)
    for symbol in UInt8.min...UInt8.max {
      for text in [[symbol], [symbol, symbol], [97, symbol, 97]] {
        var encoded: [UInt8] = []
        HuffmanCode.append(text[...], to: &encoded)
        #expect(encoded.count == HuffmanCode.encodedCount(text[...]))
        var decoded: [UInt8] = []
        try HuffmanDecoder.append(encoded.span, to: &decoded)
        #expect(decoded == text)
      }
    }
  }

  /// Rows of the table in RFC 7541, appendix B, from its ends and middle.
  @Test(arguments: [
    (0, 0x1ff8, 13), (10, 0x3fff_fffc, 30), (32, 0x14, 6), (48, 0, 5), (92, 0x7fff0, 19), (97, 3, 5), (122, 0x7b, 7),
    (126, 0x1ffd, 13), (127, 0xfff_fffc, 28), (128, 0xfffe6, 20), (249, 0xfff_fffe, 28), (255, 0x3ff_ffee, 26),
    (256, 0x3fff_ffff, 30),
  ]) func codesAreThoseOfTheRFC(symbol: Int, code: UInt32, length: UInt8) {
    #expect(HuffmanCode.codes[symbol] == code)
    #expect(HuffmanCode.lengths[symbol] == length)
  }

  @Test(arguments: [
    ("18", "5 bits of 'a', padding not ones"), ("1fff", "'a' and more than 7 bits of padding"),
    ("ff", "8 bits of padding"),
    ("fffffffc", "ends within a code"), ("ffffffff", "the end of string"), ("1fffffffff", "'a', the end of string"),
    ("fffffffcff", "the end of string, not quite, then padding of 8 bits"),
  ]) func wrongHuffmanStringsAreRefused(text: String, what: String) {
    let bytes = hex(text)
    var output: [UInt8] = []
    #expect(throws: HTTP2Error.self, "\(what)") { try HuffmanDecoder.append(bytes.span, to: &output) }
    #expect(isCompressionError([0x04, 0x80 | UInt8(bytes.count)] + bytes))
  }

  /// Whatever decodes is what the encoder writes for it: so nothing with another padding or an end of string passes.
  @Test(arguments: UInt64(1)...10) func whatDecodesIsCanonical(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var decodable = 0
    for _ in 0..<5_000 {
      let bytes = generator.bytes(.random(in: 0...6, using: &generator)).map {
        Bool.random(using: &generator) ? $0 : 255
      }
      var text: [UInt8] = []
      guard (try? HuffmanDecoder.append(bytes.span, to: &text)) != nil else { continue }
      var again: [UInt8] = []
      HuffmanCode.append(text[...], to: &again)
      #expect(again == bytes)
      decodable += 1
    }
    #expect(decodable > 500)
  }

  // MARK: - Malformed blocks

  @Test(arguments: [
    ("80", "index 0"), ("be", "an index beyond the tables"), ("7e00", "a name's index beyond the tables"),
    ("ff", "a cut-off integer"), ("ffffffffffff01", "an integer of 2^31 and more"),
    ("ff8080808080", "an endless integer"),
    ("ff80808080808000", "an integer that is too long"), ("40", "no name"), ("4001", "a cut-off name"),
    ("400161", "no value"), ("40016102", "a cut-off value"), ("0485", "a cut-off Huffman value"),
    ("8220", "an update after a field"), ("3fe21f", "an update to 4097, of 4096"), ("202020", "three updates"),
  ]) func wrongBlocksAreRefused(text: String, what: String) {
    #expect(isCompressionError(hex(text)), "\(what)")
  }

  @Test func aLoweredTableHasToBeConfirmed() throws {
    var decoder = HPACKDecoder()
    decoder.setMaximumTableSize(0)
    decoder.setMaximumTableSize(4_096)
    var confirmed = decoder
    #expect(throws: HTTP2Error.self) { try decode(hex("82"), &decoder) }
    #expect(try decode(hex("20 3fe11f 82"), &confirmed) == [":method": "GET"])
    #expect(try decode(hex("82"), &confirmed) == [":method": "GET"])
    var raised = HPACKDecoder()
    raised.setMaximumTableSize(0)
    raised.setMaximumTableSize(4_096)
    #expect(throws: HTTP2Error.self) { try decode(hex("3fe11f 82"), &raised) }
    // Nothing was lowered where the limit was low already.
    var low = HPACKDecoder()
    _ = try decode([0x20], &low)
    low.setMaximumTableSize(0)
    low.setMaximumTableSize(4_096)
    #expect(try decode(hex("3fe11f 82"), &low) == [":method": "GET"])
  }

  /// nginx sends no update; nor does it refer to the table.
  @Test func aTableThatIsLetGoNeedsNoUpdateAndHasNothingInIt() throws {
    var decoder = HPACKDecoder()
    _ = try decode(hex("4001610162"), &decoder)
    decoder.setMaximumTableSize(0)
    decoder.forgetTable()
    #expect(try decode(hex("82"), &decoder) == [":method": "GET"])
    #expect(try decode(hex("20 82"), &decoder) == [":method": "GET"])
    #expect(try decode(hex("4001610162"), &decoder) == ["a": "b"])
    #expect(decoder.tableSize == 0)
    #expect(throws: HTTP2Error.self) { try decode(hex("be"), &decoder) }
  }

  @Test(arguments: UInt64(1)...8) func randomBlocksGiveFieldsOrErrors(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var complete = 0
    for _ in 0..<3_000 {
      var decoder = HPACKDecoder(maximumListSize: 500)
      for _ in 0..<3 {
        var list = HeaderList()
        let block = generator.bytes(.random(in: 1...40, using: &generator)).map { $0 % 3 == 0 ? 0x42 : $0 }
        guard (try? decoder.decode(block[...], into: &list)) != nil else { break }
        #expect(list.size <= 500 && decoder.tableSize <= 4_096)
        complete += 1
      }
    }
    #expect(complete > 10)
  }

  // MARK: - Bounds

  @Test func aListAboveItsBoundIsCutWithoutLosingTheTable() throws {
    var encoder = HPACKEncoder(tableSize: 4_096)
    var block: [UInt8] = []
    encoder.encode(["a": String(repeating: "1", count: 67), "b": "2"], into: &block)
    for (bound, outcome, count) in [(134, HPACKDecoder.Outcome.complete, 2), (133, .tooLarge, 1)] {
      var decoder = HPACKDecoder(maximumListSize: bound)
      var list = HeaderList()
      #expect(try decoder.decode(block[...], into: &list) == outcome)
      #expect(list.count == count)
      #expect(decoder.tableSize == encoder.tableSize)
      #expect(try decode([0xbe], &decoder) == ["b": "2"])
    }
  }

  @Test func aSmallBlockCannotMakeALargeList() throws {
    var decoder = HPACKDecoder(maximumListSize: 10_000)
    let value = [UInt8](repeating: 97, count: 4_000)
    _ = try decode([0x40, 1, 97, 0x7f, 0xa1, 0x1e] + value, &decoder)
    var list = HeaderList()
    #expect(try decoder.decode([UInt8](repeating: 0xbe, count: 9)[...], into: &list) == .tooLarge)
    #expect(list.count == 2 && list.size <= 10_000)
    let error = #expect(throws: HTTP2Error.self) {
      _ = try decoder.decode([UInt8](repeating: 0xbe, count: 10)[...], into: &list)
    }
    #expect(error?.code == .enhanceYourCalm)
  }

  @Test func aFieldThatIsLargerThanTheTableEmptiesIt() throws {
    var decoder = HPACKDecoder()
    _ = try decode(hex("400161 0162"), &decoder)
    #expect(decoder.tableSize == 34)
    _ = try decode([0x40, 1, 97, 0x7f, 0x81, 0x1f] + [UInt8](repeating: 97, count: 4_096), &decoder)
    #expect(decoder.tableSize == 0)
  }

  /// Against a plain array of fields, newest first.
  @Test(arguments: UInt64(1)...20) func theDynamicTableIsABoundedQueue(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var table = DynamicTable(limit: 300)
    var model: [([UInt8], [UInt8])] = []
    for step in 0..<500 {
      if step % 50 == 49 { table.setLimit([0, 100, 300, 1_000].randomElement(using: &generator)!) }
      let name = generator.bytes(.random(in: 0...10, using: &generator))
      let value = generator.bytes(Int.random(in: 0...9, using: &generator) == 0 ? 250 : 20)
      table.insert(name: name[...], value: value[...])
      model.insert((name, value), at: 0)
      while model.reduce(0, { $0 + $1.0.count + $1.1.count + 32 }) > table.limit { model.removeLast() }
      #expect(table.count == model.count && table.size <= table.limit)
      for (index, field) in model.enumerated() {
        let position = table.position(index)
        #expect(table.bytes[position.name] == field.0[...] && table.bytes[position.value] == field.1[...])
        #expect(table.find(name: field.0[...], value: field.1[...])?.whole == true)
      }
    }
  }

  @Test func fieldsAreFoundByName() {
    let list: HeaderList = ["te": "trailers", "a": "1", "a": "2"]
    #expect(list.first("a") == [49])
    #expect(list.first("b") == nil)
    #expect(list.size == 3 * 32 + 10 + 2 + 2)
  }
}
