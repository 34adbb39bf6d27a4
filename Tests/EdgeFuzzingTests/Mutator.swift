/// Changes inputs as a fuzzer does, but without looking at what they reach.
struct Mutator {
  private var generator: SplitMix

  init(seed: UInt64) { generator = SplitMix(state: seed) }

  mutating func changed(_ input: [UInt8], others: [[UInt8]]) -> [UInt8] {
    var bytes = input
    for _ in 0..<Int.random(in: 1...4, using: &generator) { change(&bytes, others) }
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8], _ others: [[UInt8]]) {
    let place = Int.random(in: 0...bytes.count, using: &generator)
    let count = min(Int.random(in: 1...16, using: &generator), bytes.count - place)
    let range = place..<(place + count)
    switch Int.random(in: 0..<7, using: &generator) {
    case 0: if count > 0 { bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator) }
    case 1: if count > 0 { bytes[place] = [0, 1, 4, 9, 0x7f, 0x80, 0xff].randomElement(using: &generator) ?? 0 }
    case 2: if count > 0 { bytes[place] &+= UInt8.random(in: 0...255, using: &generator) }
    case 3: bytes.removeSubrange(range)
    case 4: bytes.insert(contentsOf: bytes[range], at: place)
    case 5: bytes.insert(.random(in: 0...255, using: &generator), at: place)
    default:
      let other = others.randomElement(using: &generator) ?? []
      let from = Int.random(in: 0...other.count, using: &generator)
      bytes.insert(contentsOf: other[from...].prefix(.random(in: 0...200, using: &generator)), at: place)
    }
  }
}

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
