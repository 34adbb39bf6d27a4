internal import HashRing

/// Positions in one array, members in another, halving.
struct BinarySearch: Placer {
  private let positions: [UInt64]
  private let holders: [UInt32]

  init(members: [String]) {
    let tokens = sortedTokens(members)
    positions = tokens.map(\.position)
    holders = tokens.map { UInt32($0.member) }
  }

  @inline(__always) func owner(of hash: UInt64) -> Int {
    var low = 0
    var high = positions.count
    while low < high {
      let middle = (low + high) / 2
      if positions[middle] < hash { low = middle + 1 } else { high = middle }
    }
    return Int(holders[low == positions.count ? 0 : low])
  }
}

/// As Envoy's ring hash balancer searches: entries of hash and host in one array, and an exit in the middle when a key lies
/// between two neighbours.
struct EnvoyStyle: Placer {
  private let ring: [(position: UInt64, member: Int)]

  init(members: [String]) { ring = sortedTokens(members) }

  @inline(__always) func owner(of hash: UInt64) -> Int {
    var low = 0
    var high = ring.count
    while true {
      let middle = (low + high) / 2
      if middle == ring.count { return ring[0].member }
      let here = ring[middle].position
      let before = middle == 0 ? 0 : ring[middle - 1].position
      if hash <= here && hash > before { return ring[middle].member }
      if here < hash { low = middle + 1 } else { high = middle - 1 }
      if low > high { return ring[0].member }
    }
  }
}

/// Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014).
struct Jump: Placer {
  private let count: Int64

  init(members: [String]) { count = Int64(members.count) }

  @inline(__always) func owner(of hash: UInt64) -> Int {
    var key = hash
    var bucket: Int64 = -1
    var next: Int64 = 0
    while next < count {
      bucket = next
      key = key &* 2_862_933_555_777_941_757 &+ 1
      next = Int64(Double(bucket + 1) * (Double(Int64(1) << 31) / Double((key >> 33) + 1)))
    }
    return Int(bucket)
  }
}

/// Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), with its table of 65,537.
struct Maglev: Placer {
  private static let size = 65_537
  private var table: [UInt16]

  init(members: [String]) {
    let size = UInt64(Self.size)
    let starts = members.map { keyHash("offset \($0)".utf8) % size }
    let steps = members.map { keyHash("skip \($0)".utf8) % (size - 1) + 1 }
    var next = starts
    table = [UInt16](repeating: .max, count: Self.size)
    var filled = 0
    while true {
      for member in members.indices {
        while table[Int(next[member])] != .max { next[member] = (next[member] + steps[member]) % size }
        table[Int(next[member])] = UInt16(member)
        filled += 1
        if filled == Self.size { return }
      }
    }
  }

  @inline(__always) func owner(of hash: UInt64) -> Int { Int(table[Int(hash % UInt64(Self.size))]) }
}

/// Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998): the member with the largest hash of
/// key and member.
struct Rendezvous: Placer {
  private let hashes: [UInt64]

  init(members: [String]) { hashes = members.map { keyHash($0.utf8) } }

  @inline(__always) func owner(of hash: UInt64) -> Int {
    var best = 0
    var largest: UInt64 = 0
    for (index, member) in hashes.enumerated() {
      var mixed = (hash ^ member) &* 0x9E37_79B9_7F4A_7C15
      mixed = (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
      mixed ^= mixed >> 32
      if mixed > largest {
        largest = mixed
        best = index
      }
    }
    return best
  }
}
