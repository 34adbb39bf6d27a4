import EdgeFuzzing
import Foundation
import Testing

/// The corpus that libFuzzer left, and changed copies of it: the same ones each time, so that what fails once fails again.
@Suite struct EdgeFuzzingTests {
  /// Changed copies for each target, spread over the corpus.
  private static let copies = 3_000

  static func corpus(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("EdgeFuzzing/Corpus/\(target.rawValue)")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return try files.sorted { $0.path < $1.path }.map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
  }

  @Test(arguments: FuzzTarget.allCases) func theCorpusKeepsEveryRule(target: FuzzTarget) throws {
    let corpus = try Self.corpus(target)
    #expect(corpus.count >= 10)
    for (name, bytes) in corpus {
      let violation = target.violation(bytes)
      #expect(violation == nil, "\(target) \(name)")
    }
  }

  @Test(arguments: FuzzTarget.allCases) func changedCopiesOfTheCorpusKeepEveryRule(target: FuzzTarget) throws {
    let corpus = try Self.corpus(target).map(\.bytes)
    for number in 0..<Self.copies {
      var mutator = Mutator(seed: UInt64(number))
      let input = mutator.changed(corpus[number % corpus.count], others: corpus)
      guard let violation = target.violation(input) else { continue }
      // As scripts/fuzz --reproduce takes it.
      let file = FileManager.default.temporaryDirectory.appendingPathComponent("fuzz-\(target.rawValue)-\(number)")
      try Data(input).write(to: file)
      Issue.record("\(violation); scripts/fuzz --reproduce \(target.rawValue) \(file.path)")
      break
    }
  }
}
