internal import HashRing

/// PushRing's ring beside plain baselines, as lines of JSON. With "--short" what `Benchmarks/ring/run --check` judges, in seconds.
@main struct MeasureRing {
  static func main() throws {
    let measured = try Measured(isShort: CommandLine.arguments.contains("--short"))
    var hash = Row(name: "hash alone", members: 0)
    hash.values = [
      ("nanoseconds", nanoseconds(rounds: 100) { measured.short.hashAll() }),
      ("nanosecondsOfUUID", nanoseconds(rounds: 100) { measured.long.hashAll() }),
    ]
    print(hash.json)
    for members in memberCounts { try compare(measured, members) }
    let cap = try ShareCap(percent: 110)
    for count in measured.isShort ? [1_000] : memberCounts {
      print(try RingItself.changes(members: count, cap: nil, times: 200).json)
      print(try RingItself.changes(members: count, cap: cap, times: measured.isShort ? 8 : 40).json)
    }
    try measured.isShort ? checkShares() : allShares()
  }

  private static func compare(_ measured: Measured, _ members: Int) throws {
    print(try measured.row("PushRing", PushRing.self, members) { $0.givenOwner(of: $1) }.json)
    print(try measured.row("binary search", BinarySearch.self, members) { $0.owner(of: $1) }.json)
    guard !measured.isShort else { return }
    print(try measured.row("PushRing, capped", CappedPushRing.self, members) { $0.givenOwner(of: $1) }.json)
    print(try measured.row("Envoy-style search", EnvoyStyle.self, members) { $0.owner(of: $1) }.json)
    print(try measured.row("jump", Jump.self, members) { $0.owner(of: $1) }.json)
    print(try measured.row("Maglev", Maglev.self, members) { $0.owner(of: $1) }.json)
    print(try measured.row("rendezvous", Rendezvous.self, members) { $0.owner(of: $1) }.json)
  }

  private static func checkShares() throws {
    for members in [3, 10, 100, 1_000] {
      print(try RingItself.cap(members: members, percent: 110, isWeighted: members < 1_000, runs: 1).json)
    }
  }

  private static func allShares() throws {
    for members in [3, 10, 100, 1_000] {
      let runs = members == 1_000 ? 3 : 20
      for percent in [nil, 105, 110] {
        print(try RingItself.cap(members: members, percent: percent, isWeighted: false, runs: runs).json)
      }
      print(try RingItself.cap(members: members, percent: 110, isWeighted: true, runs: runs).json)
    }
  }
}
