internal import CMalloc
internal import HashRing

/// One structure with one number of members, as a line of JSON; what does not apply is left out.
struct Row {
  let name: String
  let members: Int
  var values: [(String, Double)] = []

  var json: String {
    let rest = values.map { ", \"\($0.0)\": \($0.1)" }.joined()
    return "{\"name\": \"\(name)\", \"members\": \(members)\(rest)}"
  }
}

let memberCounts = [3, 100, 1_000]

func memberNames(_ count: Int) -> [String] { (0..<count).map { "session-manager-\($0)" } }

/// Nanoseconds for each key. The best round: what else the machine does only ever adds.
func nanoseconds(rounds: Int, _ body: () -> Int) -> Double {
  let clock = ContinuousClock()
  var best = Double.infinity
  var sum = 0
  for _ in 0..<rounds {
    let time = clock.measure { sum &+= body() }
    best = min(best, Double(time.components.attoseconds) / 1e9 / Double(Keys.count))
  }
  // Used, or the compiler might leave the work out.
  precondition(sum != .min)
  return best
}

/// Many hashes without any text: for counting what belongs to whom.
func sampledHashes(_ count: Int) -> [UInt64] {
  (0..<count).map { keyHash("sample-\($0)".utf8) }
}

struct Measured {
  let isShort: Bool
  let short: Keys
  let long: Keys
  let sample: [UInt64]

  init(isShort: Bool) throws {
    self.isShort = isShort
    short = try Keys(isLong: false)
    long = try Keys(isLong: true)
    sample = isShort ? [] : sampledHashes(1_000_000)
  }

  /// - Parameter owner: an index into the members as they were given.
  func row<Structure: Placer>(
    _ name: String, _ type: Structure.Type, _ members: Int, owner: (Structure, UInt64) -> Int
  ) throws -> Row {
    let names = memberNames(members)
    let before = allocated_bytes()
    let structure = try type.init(members: names)
    let bytes = Double(allocated_bytes()) - Double(before)
    let rounds = isShort ? 60 : 300
    var row = Row(name: name, members: members)
    row.values = [
      ("nanoseconds", nanoseconds(rounds: rounds) { short.lookUpAll(in: structure) }),
      ("nanosecondsOfUUID", nanoseconds(rounds: rounds) { long.lookUpAll(in: structure) }),
      ("bytesPerMember", bytes / Double(members)),
    ]
    guard !isShort, members == 100 else { return row }
    let joined = try type.init(members: names + ["newcomer"])
    var counts = [Int](repeating: 0, count: members)
    var moved = 0
    for hash in sample {
      let from = owner(structure, hash)
      counts[from] += 1
      if owner(joined, hash) != from { moved += 1 }
    }
    let mean = Double(sample.count) / Double(members)
    row.values.append(("largestShare", Double(counts.max() ?? 0) / mean))
    row.values.append(("moved", Double(moved) / Double(sample.count) * Double(members + 1)))
    return row
  }
}
