import Foundation
import Simulation
import Testing

/// The stories worth keeping, in `Scenarios`: each holds, and those that say so break when a rule is left out.
@Suite struct ScenarioTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scenarios")

  static let names: [String] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".txt") }.sorted()
  }()

  private func scenario(_ name: String) throws -> Scenario {
    try Scenario(String(contentsOf: Self.folder.appending(path: name), encoding: .utf8))
  }

  @Test func thereAreSome() { #expect(Self.names.count >= 17) }

  @Test(arguments: names) func theStoryHolds(name: String) throws {
    let result = Simulation.run(try scenario(name))
    #expect(result.violation == nil, "\(name): \(result.story.suffix(30).joined(separator: "\n"))")
  }

  @Test(arguments: names) func theStoryBreaksWithoutItsRules(name: String) throws {
    let scenario = try scenario(name)
    for rule in scenario.breaksWithout {
      #expect(Simulation.run(scenario, without: [rule]).violation != nil, "\(name) without \(rule.rawValue)")
    }
  }

  @Test(arguments: [
    ("", "\"pods N\" is missing"), ("pods 3", "\"end TIME\" is missing"), ("pods 9\nend 1s", "no number from 1 to 6"),
    ("pods 2\nat 3s dance\nend 4s", "line 2: \"dance\" is no command"),
    ("pods 2\nat 3s kill pod-7\nend 4s", "pod-1 to pod-2"),
    ("pods 2\nat 3s kill pod-1\nat 2s kill pod-2\nend 4s", "line 3: this time lies before"),
    ("pods 2\nat 3x kill pod-1\nend 4s", "no time such as"),
    ("pods 2\nat 3s connect ann pod-1\nend 4s", "no USER/SESSION"),
    ("pods 2\nat 3s push ann maybe 1\nend 4s", "neither complete nor unknown"),
    ("pods 2\nat 3s kill pod-1 now\nend 4s", "nothing may follow"),
    ("pods 2\nend 4s\nat 5s kill pod-1", "\"end\" must be the last line"),
    ("pods 2\nbreaks-without luck\nend 4s", "is no rule"), ("pods 2\nat 3s registry sing\nend 4s", "a registry does"),
    ("pods 2\nat 3s order pod-1 dance\nend 4s", "cordon, empty, uncordon"),
    ("pods 2\nat 3s client ann/desk sings\nend 4s", "cannot-move"),
  ]) func aMistakeNamesItsLine(text: String, message: String) {
    #expect { try Scenario(text) } throws: { "\($0)".contains(message) }
  }

  /// A scenario whose expectations nobody checks would hold whatever happens.
  @Test func anExpectationThatIsNotMetIsAViolation() throws {
    let astray = "pods 2\nat 13s connect ann/desk owner:ann\nat 14s expect ann/desk other:ann\nend 20s"
    #expect(Simulation.run(try Scenario(astray)).violation?.kind == .expectation)
    for push in ["complete 2", "unknown 1"] {
      let text = "pods 2\nat 13s connect ann/desk owner:ann\nat 14s push ann \(push)\nend 20s"
      #expect(Simulation.run(try Scenario(text)).violation?.kind == .expectation)
    }
    let unfinished =
      "pods 2\nat 13s connect ann/desk owner:ann\nat 14s pause owner:ann\nat 14s push ann complete 1\nend 15s"
    #expect(Simulation.run(try Scenario(unfinished)).violation?.kind == .expectation)
  }
}
