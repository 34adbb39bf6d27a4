/// Decodes the header blocks of one direction of a connection, all of them and in order (RFC 7541).
public struct HPACKDecoder: Sendable {
  /// What became of a block.
  public enum Outcome: Hashable, Sendable {
    case complete
    /// The list was above its bound and lacks the fields that did not fit. The connection is fine: refuse the stream, with status 431 or
    /// a reset.
    case tooLarge
  }

  private var table: DynamicTable
  /// Our SETTINGS_HEADER_TABLE_SIZE, and the smallest one since the last block.
  private var maximumTableSize: UInt32
  private var smallestTableSize: UInt32
  private let maximumListSize: UInt32

  /// The table may take 4,096 bytes until `setMaximumTableSize`, because the peer may count on them.
  ///
  /// - Parameter maximumListSize: bytes, counted as in `HeaderList.size`: our SETTINGS_MAX_HEADER_LIST_SIZE.
  public init(maximumListSize: Int = 16_384) {
    table = DynamicTable(limit: 4_096)
    maximumTableSize = 4_096
    smallestTableSize = 4_096
    self.maximumListSize = UInt32(clamping: maximumListSize)
  }

  /// Bytes that the entries of the table count for now.
  public var tableSize: Int { table.size }

  /// To be called when the peer acknowledges a SETTINGS_HEADER_TABLE_SIZE of ours, in bytes. If that is less than the
  /// table's present limit, the peer's next block has to begin with an update (section 4.2).
  public mutating func setMaximumTableSize(_ size: Int) {
    maximumTableSize = UInt32(size)
    smallestTableSize = min(smallestTableSize, UInt32(size))
  }

  /// Lets the table go, once the peer has acknowledged a maximum of 0: its next block ought to begin with the update that empties
  /// the table. One that does not may begin as it likes, as nginx' upstream does, which never refers to what it had put in.
  public mutating func forgetTable() {
    guard maximumTableSize == 0 else { return }
    table.setLimit(0)
    smallestTableSize = .max
  }

  /// How many times the maximum a list may be before it ends the connection: by references to a long entry of the table, a
  /// block of some kilobytes would make the decoder copy many megabytes ("HPACK bomb", CVE-2016-6581).
  private static let maximumExcess = 4

  /// Decodes a whole block and appends its fields to `list`, which should be empty.
  ///
  /// - Throws: COMPRESSION_ERROR, or ENHANCE_YOUR_CALM for a list that is four times as large as it may be. Either ends
  ///   the connection: `list` is then of no use, and neither is this decoder.
  public mutating func decode(_ block: ArraySlice<UInt8>, into list: inout HeaderList) throws(HTTP2Error) -> Outcome {
    let bytes = block.span
    var offset = 0
    var outcome = Outcome.complete
    var size = 0
    try readUpdates(from: bytes, at: &offset)
    while offset < bytes.count {
      let before = list.size
      try readField(from: bytes, at: &offset, into: &list)
      size += list.size - before
      guard size <= Int(maximumListSize) * Self.maximumExcess else {
        throw HTTP2Error(.enhanceYourCalm, "a header list above \(Int(maximumListSize) * Self.maximumExcess) bytes")
      }
      if list.size > Int(maximumListSize) {
        // The rest still has to pass through the table.
        list.removeLast()
        outcome = .tooLarge
      }
    }
    return outcome
  }

  /// Up to two updates of the table's limit, at the beginning of a block (sections 4.2 and 6.3).
  private mutating func readUpdates(from bytes: Span<UInt8>, at offset: inout Int) throws(HTTP2Error) {
    // A limit that no setting has fallen below is not to be confirmed.
    if table.limit <= Int(smallestTableSize) { smallestTableSize = .max }
    var updates = 0
    while offset < bytes.count, bytes[offset] & 0xe0 == 0x20 {
      let size = try HPACKInteger.read(prefix: 5, from: bytes, at: &offset)
      updates += 1
      // Of two, the first one is for the smallest maximum.
      guard updates <= 2, size <= Int(maximumTableSize) else {
        throw HTTP2Error(.compressionError, "a table size update to \(size); \(maximumTableSize) is allowed, twice")
      }
      if size <= Int(smallestTableSize) { smallestTableSize = .max }
      table.setLimit(size)
    }
    guard smallestTableSize == .max else {
      throw HTTP2Error(.compressionError, "the table's size was lowered, but no update came")
    }
  }

  private mutating func readField(
    from bytes: Span<UInt8>, at offset: inout Int, into list: inout HeaderList
  ) throws(HTTP2Error) {
    let first = bytes[offset]
    if first & 0x80 != 0 {
      try appendIndexed(try HPACKInteger.read(prefix: 7, from: bytes, at: &offset), to: &list)
    } else if first & 0xc0 == 0x40 {
      try readLiteral(prefix: 6, from: bytes, at: &offset, into: &list)
      if let field = list.last { table.insert(name: field.name, value: field.value) }
    } else if first & 0xe0 == 0x20 {
      throw HTTP2Error(.compressionError, "a table size update after a field")
    } else {
      try readLiteral(prefix: 4, from: bytes, at: &offset, into: &list, sensitive: first & 0x10 != 0)
    }
  }

  private func readLiteral(
    prefix: Int, from bytes: Span<UInt8>, at offset: inout Int, into list: inout HeaderList, sensitive: Bool = false
  ) throws(HTTP2Error) {
    let start = list.bytes.count
    let index = try HPACKInteger.read(prefix: prefix, from: bytes, at: &offset)
    if index == 0 {
      try readString(from: bytes, at: &offset, into: &list.bytes)
    } else {
      let known = try field(index)
      list.bytes.append(contentsOf: known.bytes[known.position.name])
    }
    let nameEnd = list.bytes.count
    try readString(from: bytes, at: &offset, into: &list.bytes)
    list.finishField(from: start, nameEnd: nameEnd, sensitive: sensitive)
  }

  private func readString(
    from bytes: Span<UInt8>, at offset: inout Int, into output: inout [UInt8]
  ) throws(HTTP2Error) {
    let huffman = offset < bytes.count && bytes[offset] & 0x80 != 0
    let count = try HPACKInteger.read(prefix: 7, from: bytes, at: &offset)
    guard count <= bytes.count - offset else {
      throw HTTP2Error(.compressionError, "a header block ends within a string")
    }
    let text = bytes.extracting(offset..<(offset + count))
    offset += count
    if huffman { return try HuffmanDecoder.append(text, to: &output) }
    text.withUnsafeBufferPointer { output.append(contentsOf: $0) }
  }

  private func appendIndexed(_ index: Int, to list: inout HeaderList) throws(HTTP2Error) {
    let known = try field(index)
    let start = list.bytes.count
    list.bytes.append(contentsOf: known.bytes[known.position.whole])
    list.finishField(from: start, nameEnd: start + Int(known.position.nameCount), sensitive: false)
  }

  /// Of both tables' common address space (section 2.3.3).
  private func field(_ index: Int) throws(HTTP2Error) -> (bytes: [UInt8], position: FieldPosition) {
    if (1...StaticTable.count).contains(index) {
      return (StaticTable.list.bytes, StaticTable.list.fields[index - 1])
    }
    guard index > 0, index <= StaticTable.count + table.count else {
      throw HTTP2Error(.compressionError, "there is no header field with index \(index)")
    }
    return (table.bytes, table.position(index - StaticTable.count - 1))
  }
}
