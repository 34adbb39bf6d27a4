/// One header field; a view of its list (RFC 9113, section 8.2).
public struct HeaderField: Hashable, Sendable {
  /// Lower case; a pseudo-header field's starts with a colon.
  public let name: ArraySlice<UInt8>
  public let value: ArraySlice<UInt8>
  /// Nobody may put it into a compression table, so that its value cannot be guessed from the sizes of blocks
  /// (RFC 7541, section 7.1.3).
  public let sensitive: Bool
}

/// Header fields in order, in two allocations however many they are. Keep one and `removeAll` to use it again.
public struct HeaderList: Sendable {
  /// What each field counts for beside its bytes (RFC 9113, section 6.5.2; RFC 7541, section 4.1).
  public static let fieldOverhead = 32

  var bytes: [UInt8] = []
  var fields: [FieldPosition] = []

  public init() {}

  /// Bytes of all names and values, and 32 for each field: what SETTINGS_MAX_HEADER_LIST_SIZE limits.
  public var size: Int { bytes.count + fields.count * Self.fieldOverhead }

  /// Appends a field; the name is to be in lower case, and all fields together below 2^32 bytes.
  public mutating func append(name: some Sequence<UInt8>, value: some Sequence<UInt8>, sensitive: Bool = false) {
    let start = bytes.count
    bytes.append(contentsOf: name)
    let nameEnd = bytes.count
    bytes.append(contentsOf: value)
    finishField(from: start, nameEnd: nameEnd, sensitive: sensitive)
  }

  /// Appends a field of the texts' UTF-8.
  public mutating func append(_ name: String, _ value: String, sensitive: Bool = false) {
    append(name: name.utf8, value: value.utf8, sensitive: sensitive)
  }

  /// Keeps the memory for the next use.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    fields.removeAll(keepingCapacity: true)
  }

  /// The value of the first field of that name, which has to be in lower case.
  public func first(_ name: StaticString) -> ArraySlice<UInt8>? {
    let wanted = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    return fields.first { bytes[$0.name].elementsEqual(wanted) }.map { bytes[$0.value] }
  }

  /// A field whose bytes were appended already, from `start` to the end.
  mutating func finishField(from start: Int, nameEnd: Int, sensitive: Bool) {
    fields.append(
      FieldPosition(
        start: UInt32(start), nameCount: UInt32(nameEnd - start), valueCount: UInt32(bytes.count - nameEnd),
        sensitive: sensitive))
  }

  mutating func removeLast() {
    guard let last = fields.popLast() else { return }
    bytes.removeSubrange(Int(last.start)...)
  }
}

extension HeaderList: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { fields.count }

  public subscript(index: Int) -> HeaderField {
    let field = fields[index]
    return HeaderField(name: bytes[field.name], value: bytes[field.value], sensitive: field.sensitive)
  }
}

extension HeaderList: ExpressibleByDictionaryLiteral {
  /// None of the fields is sensitive.
  public init(dictionaryLiteral fields: (String, String)...) {
    self.init()
    for (name, value) in fields { append(name, value) }
  }
}

extension HeaderList: Hashable {
  public static func == (left: Self, right: Self) -> Bool { left.elementsEqual(right) }

  public func hash(into hasher: inout Hasher) {
    for field in self { hasher.combine(field) }
  }
}

/// Where a field's name, and right after it its value, are in an array of bytes.
struct FieldPosition: Sendable {
  var start: UInt32
  let nameCount: UInt32
  let valueCount: UInt32
  var sensitive = false

  var name: Range<Int> { Int(start)..<Int(start + nameCount) }
  var value: Range<Int> { Int(start + nameCount)..<Int(start + nameCount + valueCount) }
  var whole: Range<Int> { Int(start)..<Int(start + nameCount + valueCount) }
  var size: Int { Int(nameCount) + Int(valueCount) + HeaderList.fieldOverhead }
}
