/// The fields that one side's blocks have added (RFC 7541, sections 2.3.2 and 4): a queue, addressed from its newest
/// entry. It allocates nothing before the first entry. Evicted entries are kept until they are the larger part, or their
/// bytes more than `limit`: so their removal costs little, and there are never more than about twice `limit` bytes.
struct DynamicTable: Sendable {
  /// Bytes that entries may have in all, each with its 32 on top.
  var limit: Int { Int(limitBytes) }
  private(set) var size: Int {
    get { Int(sizeBytes) }
    set { sizeBytes = UInt32(newValue) }
  }
  private(set) var bytes: [UInt8] = []
  private var entries: [FieldPosition] = []
  private var limitBytes: UInt32
  private var sizeBytes: UInt32 = 0
  /// The first entry that is not evicted.
  private var oldest: Int {
    get { Int(oldestIndex) }
    set { oldestIndex = UInt32(newValue) }
  }
  private var oldestIndex: UInt32 = 0

  init(limit: Int) { limitBytes = UInt32(clamping: limit) }

  var count: Int { entries.count - oldest }

  /// Where in `bytes` an entry is.
  ///
  /// - Parameter index: from 0, the newest, to below `count`.
  func position(_ index: Int) -> FieldPosition { entries[entries.count - 1 - index] }

  /// Evicts what it has to. A field that is larger than the whole table empties it and is not added (section 4.4).
  mutating func insert(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) {
    let needed = name.count + value.count + HeaderList.fieldOverhead
    evict(to: limit - needed)
    guard needed <= limit else { return }
    size += needed
    entries.append(
      FieldPosition(start: UInt32(bytes.count), nameCount: UInt32(name.count), valueCount: UInt32(value.count)))
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: value)
  }

  mutating func setLimit(_ limit: Int) {
    limitBytes = UInt32(clamping: limit)
    evict(to: limit)
  }

  /// Drops all entries and their memory; the limit stays.
  mutating func empty() { self = DynamicTable(limit: limit) }

  /// The newest entry with that name and value; else the newest with that name. From 0.
  func find(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) -> (index: Int, whole: Bool)? {
    var first: Int?
    for index in 0..<count {
      let entry = position(index)
      guard entry.nameCount == name.count, bytes[entry.name] == name else { continue }
      if bytes[entry.value] == value { return (index, true) }
      if first == nil { first = index }
    }
    return first.map { ($0, false) }
  }

  private mutating func evict(to most: Int) {
    while size > 0, size > most {
      size -= entries[oldest].size
      oldest += 1
    }
    if oldest > entries.count / 2 || (oldest > 0 && Int(entries[oldest].start) > limit) { compact() }
  }

  private mutating func compact() {
    guard oldest < entries.count else {
      // Nothing is left: give the memory back, unless entries keep coming.
      bytes.removeAll(keepingCapacity: limit > 0)
      entries.removeAll(keepingCapacity: limit > 0)
      oldest = 0
      return
    }
    let start = entries[oldest].start
    bytes.removeSubrange(..<Int(start))
    entries.removeSubrange(..<oldest)
    oldest = 0
    for index in entries.indices { entries[index].start -= start }
  }
}
