internal import Administration
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import RedisDirectory
internal import Settings

struct RingDiffCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what changed between two saved looks at the ring, or between one and now.",
    discussion: """
      Examples:
        pushring ring inspect --output json > before.json
        pushring ring diff before.json --redis redis://127.0.0.1:6379
        pushring ring diff before.json after.json

      Members that joined, went, or changed; shares and sessions; which keys changed hands. Exit codes: 0 nothing changed but
      counts of sessions, 1 something did, 2 an error.
      """)

  @Argument(
    help: ArgumentHelp("What 'ring inspect --output json' printed earlier.", valueName: "FILE"),
    completion: .file(extensions: ["json"]))
  var before: String
  @Argument(
    help: ArgumentHelp("And later; without it the cluster as it is now.", valueName: "FILE"),
    completion: .file(extensions: ["json"]))
  var after: String?
  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    let difference = try await endingWith2 {
      let old = try saved(before)
      return try RingDifference(from: old, to: try await laterReport())
    }
    try printing.show(difference) { difference.text($0) }
    if !difference.isEmpty { throw ExitCode(1) }
  }

  private func laterReport() async throws -> ClusterReport {
    if let after { return try saved(after) }
    let access = try registryAccess("ring")
    return try await access.use { directory in
      guard let known = try await clusterReport(directory) else { throw nobodyEverJoined(directory) }
      return known.report
    }
  }

  private func saved(_ path: String) throws -> ClusterReport {
    do {
      return try JSONDecoder().decode(ClusterReport.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch let error as DecodingError {
      throw Failure("\(path) is not what 'ring inspect --output json' prints: \(error)")
    } catch {
      throw Failure("\(path) could not be read: \(error.localizedDescription)")
    }
  }
}
