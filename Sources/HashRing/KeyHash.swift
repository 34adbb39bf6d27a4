internal import CXXHash

/// The position of a key on the ring: the 64-bit XXH3 hash, seed 0, of its bytes.
///
/// XXH3 is specified bit for bit and gives the same value on every machine, whatever its byte order
/// (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>), so programs in other languages can place a user
/// with the XXH3 of their choice.
public func keyHash(_ bytes: some Sequence<UInt8>) -> UInt64 {
  if let hash = bytes.withContiguousStorageIfAvailable({ XXH3.hash(UnsafeRawBufferPointer($0)) }) {
    return hash
  }
  return Array(bytes).withUnsafeBytes { XXH3.hash($0) }
}

/// The same of a string's UTF-8, as every look-up of a user needs it: without generic code, and without a copy where the
/// string is native, as nearly all are on Linux.
public func keyHash(_ text: String.UTF8View) -> UInt64 { XXH3.hash(text) }

/// 9 to 15 bytes are hashed here, by XXH3's rule for 9 to 16; all else by xxHash's own code.
///
/// Swift keeps up to 15 bytes of text in two registers, and puts them on the stack as two words for whoever wants to see
/// bytes. xxHash then reads the last eight bytes at once, across both words, and the processor has to wait until
/// the words have left its store buffer: that took longer than all the rest of a look-up. Here no read crosses the eighth
/// byte.
enum XXH3 {
  @inline(__always) static func hash(_ text: String.UTF8View) -> UInt64 {
    text.withContiguousStorageIfAvailable { hash(UnsafeRawBufferPointer($0)) } ?? copiedHash(text)
  }

  @inline(never) private static func copiedHash(_ text: String.UTF8View) -> UInt64 {
    Array(text).withUnsafeBytes { hash($0) }
  }

  @inline(__always) static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let count = bytes.count
    guard count >= 9, count <= 15, let base = bytes.baseAddress else {
      return pushring_xxh3_64bits(bytes.baseAddress, count)
    }
    // Both reads end within `count` bytes: the first 8, and the rest of 1 to 7.
    let low = UInt64(littleEndian: base.loadUnaligned(as: UInt64.self))
    let restBits = UInt64(truncatingIfNeeded: 8 &* (count &- 8))
    let rest = word(base + 8, count: count &- 8)
    let high = (rest &<< (64 &- restBits)) | (low &>> restBits)
    return hash9To16(low: low, high: high, count: UInt64(truncatingIfNeeded: count))
  }

  /// 1 to 7 bytes as a number, the first the lowest: by reads that overlap, as they then need no loop.
  @inline(__always) private static func word(_ bytes: UnsafeRawPointer, count: Int) -> UInt64 {
    func byte(_ offset: Int) -> UInt64 {
      UInt64(bytes.load(fromByteOffset: offset, as: UInt8.self)) &<< UInt64(truncatingIfNeeded: 8 &* offset)
    }
    func fourBytes(_ offset: Int) -> UInt64 {
      UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        &<< UInt64(truncatingIfNeeded: 8 &* offset)
    }
    return count >= 4
      ? fourBytes(0) | fourBytes(count &- 4)
      : byte(0) | byte(count &>> 1) | byte(count &- 1)
  }

  /// Section "XXH3: 9 to 16 bytes" of the specification, with the default secret and seed 0; `low` are the first eight
  /// bytes, `high` the last eight.
  @inline(__always) private static func hash9To16(low: UInt64, high: UInt64, count: UInt64) -> UInt64 {
    // The secret's words at 24 and 32, and those at 40 and 48.
    let low = low ^ (0x1f67_b3b7_a4a4_4072 ^ 0x78e5_c0cc_4ee6_79cb)
    let high = high ^ (0x2172_ffcc_7dd0_5a82 ^ 0x8e24_43f7_7446_08b8)
    let product = low.multipliedFullWidth(by: high)
    var mixed = count &+ low.byteSwapped &+ high &+ (product.low ^ product.high)
    mixed = (mixed ^ (mixed &>> 37)) &* 0x1656_6791_9e37_79f9
    return mixed ^ (mixed &>> 32)
  }
}
