/// Text by its bytes: Swift's strings go by what characters are equivalent, as nobody else does who has these texts.
extension String {
  /// Its bytes alone, without the terminator of `hash(into:)`.
  func combineBytes(into hasher: inout Hasher) {
    if utf8.withContiguousStorageIfAvailable({ hasher.combine(bytes: UnsafeRawBufferPointer($0)) }) == nil {
      Array(utf8).withUnsafeBytes { hasher.combine(bytes: $0) }
    }
  }

  func hasSameBytes(as other: String) -> Bool {
    utf8.withContiguousStorageIfAvailable { $0.isSame(as: other) } ?? utf8.elementsEqual(other.utf8)
  }
}

extension RandomAccessCollection<UInt8> {
  func isSame(as text: String) -> Bool {
    guard count == text.utf8.count else { return false }
    return text.utf8.withContiguousStorageIfAvailable { elementsEqual($0) } ?? elementsEqual(text.utf8)
  }
}
