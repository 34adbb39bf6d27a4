internal import ArgumentParser
internal import Rebalancing

struct RebalanceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebalance",
    abstract: "Bring sessions to the pods that own their users, without dropping them.",
    discussion: """
      A scale-out settles by itself, as pods send strays home slowly. This does it now, and at the rate that you choose:
        pushring rebalance plan --redis redis://127.0.0.1:6379 --cluster default
        pushring rebalance apply --rate 200
        pushring rebalance status

      The pods do the moving: it goes on when this command ends or is killed. One rebalance at a time for each cluster.
      Exit codes: 0 done, 1 nothing to do, 2 an error, or stopped before it was done (64: a mistake in the command line).
      """,
    subcommands: [
      RebalancePlanCommand.self, RebalanceApplyCommand.self, RebalanceStatusCommand.self, RebalanceStopCommand.self,
      RebalanceHomingCommand.self,
    ])
}

/// What sessions are meant, and how fast they are moved.
struct RebalanceOptions: ParsableArguments {
  // Optional, so that 'apply FILE' can tell what was given from what was not.
  @Option(name: .long, help: ArgumentHelp("Moves begun in a second, over all pods. (default: 100)", valueName: "N"))
  var rate: Double?
  @Option(name: .long, help: ArgumentHelp("Move no more than so many sessions.", valueName: "N"))
  var maxMoves: Int?
  @Option(name: .long, help: ArgumentHelp("Moves under way at a time, over all pods. (default: 1000)", valueName: "N"))
  var concurrency: Int?
  @Option(
    name: .long, help: ArgumentHelp("Nothing to do when no more than so many sessions would move.", valueName: "N"))
  var threshold = 0
  @Option(name: .long, help: ArgumentHelp("Only sessions on this pod.", valueName: "POD"))
  var pod: String?
  @Option(name: .long, help: ArgumentHelp("Only sessions of this user.", valueName: "USER"))
  var user: String?
  @Option(
    name: .long,
    help: ArgumentHelp("Seconds that one client may take to move, from 1 to 60. (default: 10)", valueName: "SECONDS"))
  var moveDeadline: Int?
  @Flag(name: .long, help: "End the streams of clients that say they can't move; their trailers say where to go.")
  var force = false

  func validate() throws {
    if let rate, !(rate > 0 && rate <= 100_000) {
      throw ValidationError("--rate must be above 0 and at most 100000 a second")
    }
    guard (1...1_000_000).contains(concurrency ?? 1) else {
      throw ValidationError("--concurrency must be 1 to 1000000")
    }
    if let maxMoves, maxMoves < 1 {
      throw ValidationError("--max-moves must be 1 or more; without it there is no limit")
    }
    guard threshold >= 0 else { throw ValidationError("--threshold must be 0 or more sessions") }
    guard (1...60).contains(moveDeadline ?? 1) else {
      throw ValidationError("--move-deadline must be from 1 to 60 seconds")
    }
    if let user { _ = try checkedUser(user) }
  }

  /// Those given that say which sessions are meant, and how a plan deals with them.
  var ofThePlan: [String] {
    [("--max-moves", maxMoves != nil), ("--pod", pod != nil), ("--user", user != nil), ("--force", force)]
      .filter(\.1).map(\.0)
  }

  /// Those given that say how fast.
  var ofThePace: [String] {
    [("--rate", rate != nil), ("--concurrency", concurrency != nil), ("--move-deadline", moveDeadline != nil)]
      .filter(\.1).map(\.0)
  }

  /// With the pace that was given here.
  func paced(_ parameters: RebalanceParameters) -> RebalanceParameters {
    var paced = parameters
    if let rate { paced.rate = rate }
    if let concurrency { paced.concurrency = concurrency }
    if let moveDeadline { paced.moveDeadlineMilliseconds = moveDeadline * 1_000 }
    return paced
  }

  var parameters: RebalanceParameters {
    var parameters = paced(RebalanceParameters())
    parameters.maximumMoves = maxMoves
    parameters.podID = pod
    parameters.userID = user
    parameters.force = force
    return parameters
  }
}

/// Errors end a command of these with exit code 2, so that a script can tell them from "nothing to do".
func endingWith2<Value>(_ body: () async throws -> Value) async throws -> Value {
  do {
    return try await body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ValidationError {
    throw error
  } catch {
    printProgress("Error: \(error)")
    throw ExitCode(2)
  }
}
