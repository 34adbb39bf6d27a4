extension BucketTable {
  /// The table after some tokens have come or gone: what lies between them is copied, not sorted, cut and written anew.
  ///
  /// - Parameters:
  ///   - removed: tokens of this table in order, by its members.
  ///   - added: tokens in order, by the members of the new ring.
  func changed(removed: [Token], added: [Token], _ renumbering: Renumbering) -> BucketTable {
    let edits = edits(removed: removed, added: added, renumbering)
    let positions = edited(edits)
    guard !positions.isEmpty, !self.positions.isEmpty else {
      return BucketTable(positions: positions, holders: added.map { UInt16($0.member) })
    }
    guard renumbering.isShort, Self.fits(bucketCount: Int(bucketCount), tokens: positions.count) else {
      let holders = holders()
      let new = (0...(holders.max() ?? 0)).map { renumbering.renumbered($0) }
      let old = holders.map { new[Int($0)] }
      return BucketTable(positions: positions, holders: Self.edited(old[...], from: 0, edits[...]))
    }
    return patched(edits, positions, renumbering)
  }

  /// A token that comes or goes, and where.
  struct Edit {
    /// Of the token in the old table that goes, or that the new one comes in front of.
    let index: Int
    let isRemoval: Bool
    let token: Token
  }

  /// In the order of the tokens; of those at one index the removal last.
  private func edits(removed: [Token], added: [Token], _ renumbering: Renumbering) -> [Edit] {
    var edits: [Edit] = []
    edits.reserveCapacity(removed.count + added.count)
    var comes = added.map { Edit(index: indexToInsert($0, renumbering), isRemoval: false, token: $0) }[...]
    var last = -1
    for token in removed {
      // A member may have a token twice.
      last = max(last + 1, index(of: token))
      while let edit = comes.first, edit.index <= last { edits.append(comes.removeFirst()) }
      edits.append(Edit(index: last, isRemoval: true, token: token))
    }
    edits.append(contentsOf: comes)
    return edits
  }

  /// The first token at or after a position, or the number of tokens.
  private func firstIndex(atOrAfter position: UInt64) -> Int {
    let bucket = Int(position.multipliedFullWidth(by: bucketCount).high)
    return Int(starts[bucket]) + rank(of: position, bucket: bucket)
  }

  private func holder(of index: Int) -> Int {
    let bucket = Int(positions[index].multipliedFullWidth(by: bucketCount).high)
    return member(bucket: bucket, rank: index - Int(starts[bucket]))
  }

  private func index(of token: Token) -> Int {
    var index = firstIndex(atOrAfter: token.position)
    while holder(of: index) != token.member { index += 1 }
    return index
  }

  /// Behind tokens at the same position whose members come first.
  private func indexToInsert(_ token: Token, _ renumbering: Renumbering) -> Int {
    var index = firstIndex(atOrAfter: token.position)
    while index < positions.count, positions[index] == token.position,
      renumbering.renumbered(UInt16(holder(of: index))) < token.member
    {
      index += 1
    }
    return index
  }

  private func edited(_ edits: [Edit]) -> [UInt64] {
    let removals = edits.count { $0.isRemoval }
    let total = positions.count + edits.count - 2 * removals
    return [UInt64](unsafeUninitializedCapacity: total) { target, count in
      positions.withUnsafeBufferPointer { source in
        var taken = 0
        func take(to end: Int) {
          guard end > taken else { return }
          _ = target[count...].update(fromContentsOf: source[taken..<end])
          count += end - taken
          taken = end
        }
        for edit in edits {
          take(to: edit.index)
          if edit.isRemoval {
            taken += 1
          } else {
            target[count] = edit.token.position
            count += 1
          }
        }
        take(to: source.count)
      }
    }
  }

  /// The members of some tokens of the old table, in the new numbers, with the edits made.
  /// - Parameter first: the index of the first of `old`.
  private static func edited(_ old: ArraySlice<UInt16>, from first: Int, _ edits: ArraySlice<Edit>) -> [UInt16] {
    var new: [UInt16] = []
    new.reserveCapacity(old.count + edits.count)
    var taken = old.startIndex
    for edit in edits {
      let index = old.startIndex + edit.index - first
      new.append(contentsOf: old[taken..<index])
      taken = index
      if edit.isRemoval { taken += 1 } else { new.append(UInt16(edit.token.member)) }
    }
    new.append(contentsOf: old[taken...])
    return new
  }

  private func patched(_ edits: [Edit], _ positions: [UInt64], _ renumbering: Renumbering) -> BucketTable {
    var lines = LineWriter(bucketCount: Int(bucketCount))
    var starts = self.starts
    var changedBuckets: [Int] = []
    var shift: UInt32 = 0
    var done = 0
    func copy(to end: Int, _ lines: inout LineWriter, _ starts: inout [UInt32]) {
      if shift != 0 { Self.add(shift, to: &starts, in: done..<end) }
      lines.copy(done..<end, of: self, renumbering)
      done = end
    }
    var rest = edits[...]
    while let first = rest.first {
      let bucket = Int(first.token.position.multipliedFullWidth(by: bucketCount).high)
      let own = rest.prefix { $0.token.position.multipliedFullWidth(by: bucketCount).high == UInt64(bucket) }
      rest = rest.dropFirst(own.count)
      copy(to: bucket, &lines, &starts)
      starts[bucket] = self.starts[bucket] &+ shift
      let holders = editedHolders(bucket, own, renumbering)
      let start = Int(starts[bucket])
      // Modulo 2^32, as tokens may have become fewer.
      shift = UInt32(start + holders.count) &- self.starts[bucket + 1]
      positions.withUnsafeBufferPointer { positions in
        holders.withUnsafeBufferPointer { holders in
          // What follows is known when all are written.
          lines.write(bucket, positions: positions[start..<start + holders.count], holders: holders[...], next: 0)
        }
      }
      changedBuckets.append(bucket)
      done = bucket + 1
    }
    copy(to: Int(bucketCount), &lines, &starts)
    starts[Int(bucketCount)] = UInt32(positions.count)
    for bucket in changedBuckets.reversed() { Self.followUp(bucket, starts, &lines) }
    return BucketTable(positions: positions, starts: starts, spilled: lines.spilled, lines: lines.finished())
  }

  private static func add(_ shift: UInt32, to starts: inout [UInt32], in range: Range<Int>) {
    starts.withUnsafeMutableBufferPointer { starts in
      for index in range { starts[index] = starts[index] &+ shift }
    }
  }

  private func editedHolders(_ bucket: Int, _ edits: ArraySlice<Edit>, _ renumbering: Renumbering) -> [UInt16] {
    let start = Int(starts[bucket])
    let old = (0..<Int(starts[bucket + 1]) - start).map {
      renumbering.renumbered(UInt16(member(bucket: bucket, rank: $0)))
    }
    return Self.edited(old[...], from: start, edits)
  }

  /// Tells a changed bucket what follows it, and those before it what follows them: back to the first that is not empty.
  private static func followUp(_ changed: Int, _ starts: [UInt32], _ lines: inout LineWriter) {
    func tokens(_ bucket: Int) -> Int { Int(starts[bucket + 1] - starts[bucket]) }
    var bucket = changed
    // Ends: the table has a token.
    repeat {
      let next = bucket + 1 == lines.bucketCount ? 0 : bucket + 1
      lines.setNext(lines.first(next), ofBucket: bucket, tokens: tokens(bucket))
      guard bucket == changed || tokens(bucket) == 0 else { return }
      bucket = bucket == 0 ? lines.bucketCount - 1 : bucket - 1
    } while bucket != changed
  }
}
