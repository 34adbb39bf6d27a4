internal import CXXHash

/// The position of a key on the ring: the 64-bit XXH3 hash, seed 0, of its bytes.
///
/// XXH3 is specified bit for bit and gives the same value on every machine, whatever its byte order
/// (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>), so programs in other languages can place a user
/// with the XXH3 of their choice.
public func keyHash(_ bytes: some Sequence<UInt8>) -> UInt64 {
  if let hash = bytes.withContiguousStorageIfAvailable({ XXH3_64bits($0.baseAddress, $0.count) }) {
    return hash
  }
  return Array(bytes).withUnsafeBytes { XXH3_64bits($0.baseAddress, $0.count) }
}
