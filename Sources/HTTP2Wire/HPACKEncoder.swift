/// Encodes the header blocks of one direction of a connection (RFC 7541). The peer's decoder must get all of them in
/// the order in which they were encoded.
///
/// With a table size of 0, the default, it is stateless: fields of the static table by index, the others as literals
/// without indexing. Then blocks may also be encoded once and sent often, on every connection.
public struct HPACKEncoder: Sendable {
  /// Values that are secrets, or contain some, whatever the caller says (RFC 7541, section 7.1.3).
  private static let sensitiveNames = ["authorization", "proxy-authorization", "cookie"].map { Array($0.utf8) }

  private let usesHuffman: Bool
  /// Bytes of table that we want; 0: none.
  private let wantedTableSize: Int
  private var table = DynamicTable(limit: 0)
  /// The peer's SETTINGS_HEADER_TABLE_SIZE, and the smallest one since the last block.
  private var peerTableSize = 4_096
  private var smallestPeerTableSize = Int.max
  /// What the peer's decoder takes for the limit.
  private var announcedTableSize = 4_096

  /// - Parameters:
  ///   - tableSize: bytes of dynamic table to use if the peer allows it; 0 to be stateless.
  ///   - usesHuffman: whether strings are Huffman-coded when that does not make them longer.
  public init(tableSize: Int = 0, usesHuffman: Bool = true) {
    wantedTableSize = tableSize
    self.usesHuffman = usesHuffman
  }

  /// Bytes that the entries of the table count for now.
  public var tableSize: Int { table.size }

  /// To be called when the peer's SETTINGS_HEADER_TABLE_SIZE, in bytes, is applied, before the acknowledgement is sent.
  public mutating func setPeerTableSize(_ size: Int) {
    peerTableSize = size
    smallestPeerTableSize = min(smallestPeerTableSize, size)
  }

  /// Appends one whole header block with `list`'s fields, in order.
  ///
  /// Sensitive fields, and `authorization`, `proxy-authorization` and `cookie` always, are literals that are never to
  /// be indexed.
  public mutating func encode(_ list: HeaderList, into output: inout [UInt8]) {
    appendUpdates(to: &output)
    for field in list { append(field, to: &output) }
  }

  /// Tells the peer about changes of the table's limit: the smallest one, then the last (section 4.2).
  private mutating func appendUpdates(to output: inout [UInt8]) {
    if wantedTableSize == 0, smallestPeerTableSize >= announcedTableSize { return }
    let target = min(wantedTableSize == 0 ? announcedTableSize : wantedTableSize, peerTableSize)
    if smallestPeerTableSize < min(announcedTableSize, target) { announce(smallestPeerTableSize, to: &output) }
    if target != announcedTableSize { announce(target, to: &output) }
    if wantedTableSize > 0, table.limit != target { table.setLimit(target) }
    smallestPeerTableSize = .max
  }

  private mutating func announce(_ size: Int, to output: inout [UInt8]) {
    HPACKInteger.append(size, prefix: 5, pattern: 0x20, to: &output)
    announcedTableSize = size
    if wantedTableSize > 0 { table.setLimit(size) }
  }

  private mutating func append(_ field: HeaderField, to output: inout [UInt8]) {
    let known = StaticTable.find(name: field.name, value: field.value)
    let sensitive = field.sensitive || Self.sensitiveNames.contains { $0.elementsEqual(field.name) }
    if sensitive {
      return appendLiteral(field, nameIndex: known?.index ?? 0, prefix: 4, pattern: 0x10, to: &output)
    }
    if let known, known.whole { return HPACKInteger.append(known.index, prefix: 7, pattern: 0x80, to: &output) }
    guard table.limit > 0 else {
      return appendLiteral(field, nameIndex: known?.index ?? 0, prefix: 4, pattern: 0, to: &output)
    }
    appendThroughTable(field, staticName: known?.index, to: &output)
  }

  private mutating func appendThroughTable(_ field: HeaderField, staticName: Int?, to output: inout [UInt8]) {
    let found = table.find(name: field.name, value: field.value)
    let index = found.map { $0.index + StaticTable.count + 1 }
    if let index, found?.whole == true { return HPACKInteger.append(index, prefix: 7, pattern: 0x80, to: &output) }
    let nameIndex = staticName ?? index ?? 0
    // What does not fit would only empty the table.
    if field.name.count + field.value.count + HeaderList.fieldOverhead > table.limit {
      return appendLiteral(field, nameIndex: nameIndex, prefix: 4, pattern: 0, to: &output)
    }
    appendLiteral(field, nameIndex: nameIndex, prefix: 6, pattern: 0x40, to: &output)
    table.insert(name: field.name, value: field.value)
  }

  private func appendLiteral(
    _ field: HeaderField, nameIndex: Int, prefix: Int, pattern: UInt8, to output: inout [UInt8]
  ) {
    HPACKInteger.append(nameIndex, prefix: prefix, pattern: pattern, to: &output)
    if nameIndex == 0 { appendString(field.name, to: &output) }
    appendString(field.value, to: &output)
  }

  private func appendString(_ text: ArraySlice<UInt8>, to output: inout [UInt8]) {
    let count = usesHuffman && !text.isEmpty ? HuffmanCode.encodedCount(text) : .max
    if count <= text.count {
      HPACKInteger.append(count, prefix: 7, pattern: 0x80, to: &output)
      HuffmanCode.append(text, to: &output)
    } else {
      HPACKInteger.append(text.count, prefix: 7, pattern: 0, to: &output)
      output.append(contentsOf: text)
    }
  }
}
