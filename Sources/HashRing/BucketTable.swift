/// The tokens of a ring, laid out so that a look-up touches one cache line.
///
/// The circle is cut into `bucketCount` buckets of equal width, about nine tokens wide. Hash x bucketCount is a number of
/// 128 bits: its high word names the bucket, its low word says where in it the hash lies, and the upper 16 bits of that
/// are the *residue*. A bucket is a line of 64 bytes:
///
///     byte 0   residues of up to 15 tokens in ascending order, then padding; signed, as the vector compare is
///     byte 32  their members, then (in the rest of 16) the member of the next token after the bucket
///
/// The member at the number of residues below the key's is the owner. Whoever has the very residue of the key can't be
/// told from it by 16 bits, and the full positions decide: one look-up in 7,000. A bucket with more than 15 tokens has its
/// members in `spilled` and a mark in the line; the full positions decide there too: one look-up in 40.
///
/// Docs/ring.md has what was measured, and what else was tried.
///
/// Sendable: `lines` is written by `init` alone, before anybody else can have the reference, and freed by
/// `deinit`; all else is immutable and Sendable.
final class BucketTable: @unchecked Sendable {
  static let lineBytes = 64
  static let slots = 15
  /// In place of a line's first member: the bucket's members are in `spilled`. No member has this index.
  static let spillMark = UInt16.max

  /// All tokens in ascending order; those at one position in the order of their members.
  let positions: [UInt64]
  /// By bucket: the index of its first token, or where that would be; and the number of tokens at the end.
  let starts: [UInt32]
  /// Members of the buckets that have too many, each followed by the member of the next token after the bucket.
  let spilled: [UInt16]
  let bucketCount: UInt64
  /// `bucketCount` lines, aligned to 64 bytes.
  private let lines: UnsafeRawPointer

  init(positions: [UInt64], starts: [UInt32], spilled: [UInt16], lines: UnsafeRawPointer) {
    self.positions = positions
    self.starts = starts
    self.spilled = spilled
    self.lines = lines
    bucketCount = UInt64(starts.count - 1)
  }

  deinit { lines.deallocate() }

  /// In memory, without what the allocator adds.
  var bytes: Int { positions.count * 8 + starts.count * 4 + spilled.count * 2 + (starts.count - 1) * Self.lineBytes }
}

extension BucketTable {
  /// The member of the first token at or after `hash`, or past the last token that of the first; -1 when there is no token.
  @inline(__always) func owner(of hash: UInt64) -> Int {
    let (bucket, offset) = hash.multipliedFullWidth(by: bucketCount)
    // In bounds: the high word of a product is less than either factor.
    let line = lines + Int(truncatingIfNeeded: bucket) &* Self.lineBytes
    let key = Self.residue(offset)
    let keys = SIMD8<Int16>(repeating: key)
    let below =
      SIMD8<Int16>.zero.replacing(with: 1, where: line.load(as: SIMD8<Int16>.self) .< keys)
      &+ SIMD8<Int16>.zero.replacing(with: 1, where: line.load(fromByteOffset: 16, as: SIMD8<Int16>.self) .< keys)
    // Eight counts of 0 to 2 as the bytes of a word; the product's highest byte is their sum.
    let counts = unsafeBitCast(SIMD8<UInt8>(truncatingIfNeeded: below), to: UInt64.self)
    // At most 15: the last of the 16 residues is padding, which no residue is above.
    let rank = Int(truncatingIfNeeded: (counts &* 0x0101_0101_0101_0101) &>> 56)
    let member = line.load(fromByteOffset: 32 &+ 2 &* rank, as: UInt16.self)
    if member == Self.spillMark || line.load(fromByteOffset: 2 &* rank, as: Int16.self) == key {
      return ownerByPosition(hash)
    }
    return Int(member)
  }

  /// The upper 16 bits, shifted to the range of signed numbers.
  @inline(__always) static func residue(_ offset: UInt64) -> Int16 {
    Int16(truncatingIfNeeded: offset &>> 48) ^ Int16.min
  }

  @inline(never) private func ownerByPosition(_ hash: UInt64) -> Int {
    guard !positions.isEmpty else { return -1 }
    let bucket = Int(truncatingIfNeeded: hash.multipliedFullWidth(by: bucketCount).high)
    return member(bucket: bucket, rank: rank(of: hash, bucket: bucket))
  }

  /// How many of the bucket's tokens are before `hash`.
  func rank(of hash: UInt64, bucket: Int) -> Int {
    let start = Int(starts[bucket])
    var low = start
    var high = Int(starts[bucket + 1])
    while low < high {
      let middle = (low + high) / 2
      if positions[middle] < hash { low = middle + 1 } else { high = middle }
    }
    return low - start
  }

  /// The member of the bucket's token of that rank; of the next token after the bucket for the number of its tokens.
  func member(bucket: Int, rank: Int) -> Int {
    let line = line(bucket)
    if line.load(fromByteOffset: 32, as: UInt16.self) == Self.spillMark {
      return Int(spilled[Int(line.load(fromByteOffset: 36, as: UInt32.self)) + rank])
    }
    precondition(rank <= Self.slots)
    return Int(line.load(fromByteOffset: 32 + 2 * rank, as: UInt16.self))
  }

  func line(_ bucket: Int) -> UnsafeRawPointer {
    precondition(bucket < bucketCount)
    return lines + bucket * Self.lineBytes
  }

  /// The members of all tokens, in the order of `positions`.
  func holders() -> [UInt16] {
    var holders: [UInt16] = []
    holders.reserveCapacity(positions.count)
    for bucket in 0..<Int(bucketCount) {
      for rank in 0..<Int(starts[bucket + 1] - starts[bucket]) {
        holders.append(UInt16(member(bucket: bucket, rank: rank)))
      }
    }
    return holders
  }
}

extension BucketTable {
  /// Tokens one after the other, from the first at or after a hash, again and again around the circle. The table has a
  /// token.
  struct Cursor: IteratorProtocol {
    private let table: BucketTable
    private var bucket: Int
    private var rank: Int

    init(_ table: BucketTable, from hash: UInt64) {
      self.table = table
      bucket = Int(hash.multipliedFullWidth(by: table.bucketCount).high)
      rank = table.rank(of: hash, bucket: bucket)
    }

    /// The index of the token, and its member; never nil.
    mutating func next() -> (token: Int, member: Int)? {
      while rank == Int(table.starts[bucket + 1] - table.starts[bucket]) {
        rank = 0
        bucket = bucket + 1 == Int(table.bucketCount) ? 0 : bucket + 1
      }
      defer { rank += 1 }
      return (Int(table.starts[bucket]) + rank, table.member(bucket: bucket, rank: rank))
    }
  }

  func tokens(from hash: UInt64) -> Cursor { Cursor(self, from: hash) }
}
