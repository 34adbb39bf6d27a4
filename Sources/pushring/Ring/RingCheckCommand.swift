internal import Administration
internal import ArgumentParser
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Settings

struct RingCheckCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Audit the registry against the pods; nothing is changed.",
    discussion: """
      Finds records of dead processes, of sessions that are nowhere, at the wrong pod or epoch, missing, unreadable; sessions
      on two pods; strays that an owner does not know of, or knows of wrongly; what is left over in indexes; orders for
      pods that are no members. 'ring fix' mends them.

      Sessions move while it looks. What it finds is looked at twice more, after one and two seconds, and is a finding only
      if it is still the same. Redis is read a thousand keys at a time. Pods that don't answer are named, and what only
      they could tell is not judged.

      Examples:
        pushring ring check --redis redis://127.0.0.1:6379
        pushring ring check --output json | jq '.findings[] | {kind, user, session}'

      Exit codes: 0 nothing found, among the pods that answered; 1 findings; 2 an error.
      """)

  @OptionGroup var printing: OutputOptions
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    let timeout = fleet.timeout
    let report = try await endingWith2 {
      let access = try registryAccess("ring")
      return try await access.use { try await audit($0, timeout) }
    }
    try printing.show(report) { report.text($0) }
    try endAfter(report)
  }
}

struct RingFixCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "fix",
    abstract: "Mend what 'ring check' finds, after showing it, and check again.",
    discussion: """
      A record is changed or deleted only if it still is what was found; what a pod holds, the pod itself registers again or
      lets go of. Records that this version can't read stay as they are.

      On a terminal it asks first; elsewhere it needs --yes. What was found goes to stderr, the second check to stdout.

      Examples:
        pushring ring fix --redis redis://127.0.0.1:6379
        pushring ring fix --yes --output json | jq .findings

      Exit codes: 0 clean now, or before; 1 not mended, or not asked for; 2 an error.
      """)

  @Flag(name: .long, help: "Mend without asking.")
  var yes = false
  @OptionGroup var printing: OutputOptions
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    let (timeout, isAgreed) = (fleet.timeout, yes)
    let report = try await endingWith2 {
      let access = try registryAccess("ring")
      return try await access.use { directory in
        let found = try await audit(directory, timeout)
        guard !found.isClean else { return found }
        printProgress(found.text(.plain))
        let (steps, unmended) = repairs(of: found.findings)
        if !unmended.isEmpty { printProgress("\(unmended.count) of these can't be mended from here") }
        guard !steps.isEmpty else { return found }
        guard isAgreed || agrees(steps.count) else { throw ExitCode(1) }
        guard let view = try await directory.window()?.current else { throw nobodyEverJoined(directory) }
        for silence in try await Repairer(directory, members: view.members, timeout: timeout).carryOut(steps) {
          printProgress("no answer from \(silence.pod): \(silence.reason)")
        }
        printProgress("\(steps.count) repairs done; checking again")
        return try await audit(directory, timeout)
      }
    }
    try printing.show(report) { report.text($0) }
    try endAfter(report)
  }
}

/// Silence is no health, but a dead pod is no finding either: whoever goes by the exit code alone is told in words.
private func endAfter(_ report: AuditReport) throws {
  if !report.silent.isEmpty {
    let pods = report.silent.map(\.pod).joined(separator: ", ")
    printProgress("what only \(pods) could tell was not judged; check again when they answer, or 'ring forget' them")
  }
  if !report.isClean { throw ExitCode(1) }
}

private func agrees(_ count: Int) -> Bool {
  guard canAsk else {
    printProgress("nothing was changed: there is nobody to ask here; --yes mends without asking")
    return false
  }
  if ask("mend these, in \(count) steps? [y/N] ").map({ ["y", "yes"].contains($0.lowercased()) }) == true {
    return true
  }
  printProgress("nothing was changed")
  return false
}

private func audit(_ directory: RedisDirectory, _ timeout: Duration) async throws -> AuditReport {
  let report = try await Auditor(directory, timeout: timeout).audit { printProgress($0) }
  guard let report else { throw nobodyEverJoined(directory) }
  return report
}
