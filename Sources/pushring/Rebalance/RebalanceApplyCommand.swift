internal import Administration
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Placement
internal import Rebalancing
internal import RedisDirectory
internal import Settings

struct RebalanceApplyCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Carry out a saved plan, or plan and carry out.",
    discussion: """
      Examples:
        pushring rebalance apply --redis redis://127.0.0.1:6379 --rate 200
        pushring rebalance apply plan.json --rate 50
        pushring rebalance apply --attach

      A saved plan is refused when the view has changed since it was made. Which sessions are meant is the plan's;
      --rate, --concurrency and --move-deadline, where given, count instead of its own. Ctrl-C stops the rebalance: moves
      under way end, no others begin. A kill of this command does not: follow it again with --attach, or stop it with 'rebalance stop'.
      Exit codes: 0 done, 1 nothing to do, 2 an error, or stopped before it was done.
      """)

  @Argument(
    help: ArgumentHelp("A plan that 'rebalance plan --save' wrote.", valueName: "FILE"),
    completion: .file(extensions: ["json"]))
  var file: String?
  @OptionGroup var options: RebalanceOptions
  @Option(name: .long, help: ArgumentHelp("Stop it when it has not ended after so many seconds.", valueName: "SECONDS"))
  var timeout = 3_600
  @Flag(name: .long, help: "Follow the rebalance that is under way, instead of beginning one.")
  var attach = false
  @Flag(name: .long, help: "Return at once, and leave it to the pods; 'rebalance status' tells how far it is.")
  var detach = false
  @OptionGroup var printing: OutputOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func validate() throws {
    guard (1...604_800).contains(timeout) else { throw ValidationError("--timeout must be from 1 to 604800 seconds") }
    if attach, file != nil || detach || !options.ofThePlan.isEmpty || !options.ofThePace.isEmpty {
      throw ValidationError("--attach follows what is under way as it is: no FILE, no --detach, no --rate and the like")
    }
    if file != nil, let flag = options.ofThePlan.first {
      throw ValidationError("\(flag) belongs to the plan: give it to 'rebalance plan --save', or apply without FILE")
    }
  }

  func run() async throws {
    try await endingWith2 {
      let access = try registryAccess("rebalance")
      let command = self
      let report = try await access.use { directory in try await command.apply(directory) }
      guard let report else {
        printProgress("nothing to do")
        try printing.showNothing(cluster: access.directory.cluster.text)
        throw ExitCode(1)
      }
      try printing.show(report) { _ in report.table }
      if !detach, report.state != "done" {
        printProgress(
          report.state == "incomplete" ? report.remainder : "stopped before it was done: run it again to go on")
        throw ExitCode(2)
      }
    }
  }

  /// Nil: nothing to do.
  private func apply(_ directory: RedisDirectory) async throws -> RebalanceReport? {
    if attach {
      guard let job = try await directory.rebalance(), !job.state.isOver else {
        throw Failure("no rebalance is under way in cluster \(directory.cluster)")
      }
      return try await RebalanceProgress(directory).follow(job.id)
    }
    let plan: RebalancePlan
    if let file {
      plan = try await savedPlan(file, directory)
      // It may have been carried out already.
      guard try await makePlan(plan.parameters, directory).planned > options.threshold else { return nil }
    } else {
      plan = try await makePlan(options.parameters, directory)
    }
    for pod in plan.silent { printProgress("no answer from \(pod): its sessions are not moved") }
    guard plan.planned > options.threshold else { return nil }
    let id = UUID().uuidString.lowercased()
    switch try await start(plan, id, directory) {
    case .busy(let job):
      throw Failure(
        "another rebalance is under way (\(job.id)): follow it with 'rebalance apply --attach', or end it with 'rebalance stop'"
      )
    case .stale(let current): throw stale(plan, current)
    case .started(let job):
      if detach {
        return RebalanceReport(cluster: plan.cluster, job: job, view: try await directory.window()?.current)
      }
      return try await RebalanceProgress(directory).follow(id)
    }
  }

  private func start(_ plan: RebalancePlan, _ id: String, _ directory: RedisDirectory) async throws -> RebalanceStart {
    guard let digest = UInt64(plan.digest, radix: 16) else { throw Failure("the plan's digest is not hexadecimal") }
    return try await directory.startRebalance(
      id: id, view: ViewStamp(version: plan.version, digest: digest), parameters: try reportJSON(plan.parameters),
      limit: .seconds(timeout), sources: plan.sources)
  }

  private func stale(_ plan: RebalancePlan, _ current: ViewStamp) -> Failure {
    let now = "\(current.version)/\(String(current.digest, radix: 16))"
    return Failure(
      "the view has changed: the plan is for view \(plan.version)/\(plan.digest), and the cluster is at \(now); plan again"
    )
  }

  /// With the pace that was given here.
  private func savedPlan(_ path: String, _ directory: RedisDirectory) async throws -> RebalancePlan {
    var plan: RebalancePlan
    do {
      plan = try JSONDecoder().decode(RebalancePlan.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch is DecodingError {
      throw Failure("\(path) is not a plan that 'rebalance plan --save' wrote")
    } catch {
      throw Failure("the plan \(path) could not be read: \(error.localizedDescription)")
    }
    guard plan.cluster == directory.cluster.text else {
      throw Failure("the plan is for cluster \(plan.cluster), and this is \(directory.cluster)")
    }
    guard let view = try await directory.window()?.current else { throw nobodyEverJoined(directory) }
    guard view.stamp.version == plan.version, String(view.stamp.digest, radix: 16) == plan.digest else {
      throw stale(plan, view.stamp)
    }
    do {
      try plan.check(in: view)
    } catch {
      throw Failure("the plan \(path) was changed, and can't be carried out: \(error); plan again")
    }
    plan.parameters = options.paced(plan.parameters)
    return plan
  }
}

extension OutputOptions {
  /// For programs, which read what is printed whatever the exit code is.
  func showNothing(cluster: String) throws {
    if output == .json { try show(RebalanceReport(cluster: cluster, job: nil, view: nil)) { _ in "" } }
  }
}
