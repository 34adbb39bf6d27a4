extension BucketTable {
  /// The mean number of tokens in a bucket. With 9, 22 buckets in 1,000 have more than 15; with 8 it would be 8, but a
  /// token would take more than 16 bytes.
  static let tokensPerBucket = 9

  static func bucketCount(tokens: Int) -> Int { max(1, tokens / tokensPerBucket) }

  /// Whether as many buckets still do for a ring that has changed: 8.7 to 9.6 tokens in each, so that a look-up stays fast
  /// and a token below 16 bytes, and that one change in 20 at most makes the whole table anew.
  static func fits(bucketCount: Int, tokens: Int) -> Bool {
    bucketCount == self.bucketCount(tokens: tokens)
      || (87 * bucketCount...96 * bucketCount).contains(10 * tokens)
  }

  /// - Parameters:
  ///   - positions: in ascending order.
  ///   - holders: the member of each.
  convenience init(positions: [UInt64], holders: [UInt16], bucketCount: Int? = nil) {
    var lines = LineWriter(bucketCount: bucketCount ?? Self.bucketCount(tokens: positions.count))
    let buckets = UInt64(lines.bucketCount)
    let starts = [UInt32](unsafeUninitializedCapacity: lines.bucketCount + 1) { starts, count in
      var bucket = 0
      for (index, position) in positions.enumerated() {
        let own = Int(position.multipliedFullWidth(by: buckets).high)
        while bucket <= own {
          starts[bucket] = UInt32(index)
          bucket += 1
        }
      }
      while bucket < starts.count {
        starts[bucket] = UInt32(positions.count)
        bucket += 1
      }
      count = starts.count
    }
    positions.withUnsafeBufferPointer { positions in
      holders.withUnsafeBufferPointer { holders in
        for bucket in 0..<lines.bucketCount {
          let range = Int(starts[bucket])..<Int(starts[bucket + 1])
          // An empty table's look-ups are to look at its positions.
          let next =
            holders.isEmpty ? Self.spillMark : holders[range.upperBound == holders.count ? 0 : range.upperBound]
          lines.write(bucket, positions: positions[range], holders: holders[range], next: next)
        }
      }
    }
    self.init(positions: positions, starts: starts, spilled: lines.spilled, lines: lines.finished())
  }
}

/// Fills the lines of a new table.
struct LineWriter {
  let bucketCount: Int
  private(set) var spilled: [UInt16] = []
  private let lines: UnsafeMutableRawPointer

  /// Every bucket must be written, and then `finished` be called.
  init(bucketCount: Int) {
    self.bucketCount = bucketCount
    lines = .allocate(byteCount: bucketCount * BucketTable.lineBytes, alignment: BucketTable.lineBytes)
  }

  /// Who gets them frees them.
  func finished() -> UnsafeRawPointer { UnsafeRawPointer(lines) }

  private func line(_ bucket: Int) -> UnsafeMutableRawPointer {
    precondition(bucket < bucketCount)
    return lines + bucket * BucketTable.lineBytes
  }

  /// - Parameter next: the member of the first token after the bucket.
  mutating func write(
    _ bucket: Int, positions: Slice<UnsafeBufferPointer<UInt64>>, holders: Slice<UnsafeBufferPointer<UInt16>>,
    next: UInt16
  ) {
    let line = line(bucket)
    let padding = SIMD16<Int16>(repeating: .max)
    line.storeBytes(of: padding, as: SIMD16<Int16>.self)
    line.storeBytes(of: SIMD16<UInt16>(repeating: next), toByteOffset: 32, as: SIMD16<UInt16>.self)
    guard positions.count <= BucketTable.slots else { return spill(line, holders, next) }
    let buckets = UInt64(bucketCount)
    var offset = 0
    for position in positions {
      let residue = BucketTable.residue(position.multipliedFullWidth(by: buckets).low)
      line.storeBytes(of: residue, toByteOffset: offset, as: Int16.self)
      offset &+= 2
    }
    offset = 32
    for holder in holders {
      line.storeBytes(of: holder, toByteOffset: offset, as: UInt16.self)
      offset &+= 2
    }
  }

  private mutating func spill(_ line: UnsafeMutableRawPointer, _ holders: some Sequence<UInt16>, _ next: UInt16) {
    line.storeBytes(of: BucketTable.spillMark, toByteOffset: 32, as: UInt16.self)
    line.storeBytes(of: UInt32(spilled.count), toByteOffset: 36, as: UInt32.self)
    spilled.append(contentsOf: holders)
    spilled.append(next)
  }

  /// The same lines as in another table, of whose members some have other indices now.
  mutating func copy(_ buckets: Range<Int>, of table: BucketTable, _ renumbering: Renumbering) {
    guard !buckets.isEmpty else { return }
    precondition(buckets.upperBound <= bucketCount)
    let target = lines + buckets.lowerBound * BucketTable.lineBytes
    target.copyMemory(from: table.line(buckets.lowerBound), byteCount: buckets.count * BucketTable.lineBytes)
    var spilledBuckets: [Int] = []
    renumbering.withSteps { steps in
      for index in 0..<buckets.count {
        let members = target + (index &* BucketTable.lineBytes &+ 32)
        if members.load(as: UInt16.self) == BucketTable.spillMark {
          spilledBuckets.append(buckets.lowerBound + index)
        } else {
          Renumbering.renumber(members, steps)
          Renumbering.renumber(members + 16, steps)
        }
      }
    }
    for bucket in spilledBuckets {
      let tokens = Int(table.starts[bucket + 1] - table.starts[bucket])
      let holders = (0...tokens).map { renumbering.renumbered(UInt16(table.member(bucket: bucket, rank: $0))) }
      spill(line(bucket), holders.dropLast(), holders[tokens])
    }
  }

  /// Another token follows the bucket than before. `tokens`: how many the bucket has.
  mutating func setNext(_ next: UInt16, ofBucket bucket: Int, tokens: Int) {
    let line = line(bucket)
    guard tokens <= BucketTable.slots else {
      spilled[Int(line.load(fromByteOffset: 36, as: UInt32.self)) + tokens] = next
      return
    }
    for slot in tokens...BucketTable.slots {
      line.storeBytes(of: next, toByteOffset: 32 + 2 * slot, as: UInt16.self)
    }
  }

  /// The member of the bucket's first token, or of the first one after an empty bucket.
  func first(_ bucket: Int) -> UInt16 {
    let line = line(bucket)
    let member = line.load(fromByteOffset: 32, as: UInt16.self)
    return member == BucketTable.spillMark ? spilled[Int(line.load(fromByteOffset: 36, as: UInt32.self))] : member
  }
}

/// Which indices members have in a ring after others have come and gone.
struct Renumbering {
  /// From that index on, that much is added, modulo 2^16; one step after the other.
  private var steps: [(from: UInt16, by: UInt16)] = []

  /// - Parameters:
  ///   - removed: indices in the ring before, ascending.
  ///   - added: indices in the ring after, ascending.
  init(removed: [Int], added: [Int]) {
    steps = removed.reversed().map { (UInt16($0 + 1), .max) } + added.map { (UInt16($0), 1) }
  }

  /// Each step costs a look at every line; with more than a few it is quicker to write all lines anew.
  var isShort: Bool { steps.count <= 16 }

  /// Of one that stays; any number for one that goes.
  func renumbered(_ member: UInt16) -> UInt16 {
    steps.reduce(member) { $0 >= $1.from ? $0 &+ $1.by : $0 }
  }

  func withSteps(_ body: (UnsafeBufferPointer<(from: UInt16, by: UInt16)>) -> Void) {
    steps.withUnsafeBufferPointer(body)
  }

  /// Eight in memory: vectors of 16 compile to loops.
  @inline(__always) static func renumber(
    _ members: UnsafeMutableRawPointer, _ steps: UnsafeBufferPointer<(from: UInt16, by: UInt16)>
  ) {
    var eight = members.load(as: SIMD8<UInt16>.self)
    for step in steps {
      let isAbove = eight .>= SIMD8<UInt16>(repeating: step.from)
      eight = eight &+ SIMD8<UInt16>.zero.replacing(with: SIMD8<UInt16>(repeating: step.by), where: isAbove)
    }
    members.storeBytes(of: eight, as: SIMD8<UInt16>.self)
  }
}
