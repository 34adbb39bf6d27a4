internal import Administration
internal import ArgumentParser
internal import Logging
internal import Placement
internal import RedisDirectory
internal import Settings

struct RingForgetCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "forget",
    abstract: "End the grace of a member whose process is dead, by your word.",
    discussion: """
      A pod that vanished stays a member in grace, as it may come back with its sessions: until its grace is over no view
      settles, and pushes cost reads of the registry. If you know that its process is gone, say so. If it is not, clients
      may hold streams there that pushes no longer reach; the process closes them once it learns of it.

      Only a member in grace, or whose lease is over, is forgotten; another one only with --yes, and a warning. It asks for
      the pod's id to be typed; a script gives --yes.

      Examples:
        pushring ring forget pod-3 --redis redis://127.0.0.1:6379
        pushring ring forget pod-3 --yes

      Exit codes: 0 forgotten, 1 refused or not confirmed, 2 an error.
      """)

  @Argument(help: ArgumentHelp("The pod's id, as 'ring inspect' shows it.", valueName: "POD"))
  var pod: String
  @Option(
    name: .long,
    help: ArgumentHelp("Which process, when several have this pod id; without it those in grace.", valueName: "N"))
  var incarnation: UInt64?
  @Flag(name: .long, help: "Without asking, also when it looks alive.")
  var yes = false
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { registry.flags + common.flags }

  func run() async throws {
    try await endingWith2 {
      let access = try registryAccess("ring")
      let command = self
      try await access.use { try await command.forget($0) }
    }
  }

  private func forget(_ directory: RedisDirectory) async throws {
    let status = try await directory.memberStatus()
    let named = status.filter { status in
      status.member.podID == pod && (incarnation.map { status.member.incarnation.rawValue == $0 } ?? true)
    }
    guard !named.isEmpty else {
      guard !status.isEmpty else { throw nobodyEverJoined(directory) }
      let known = status.map { "\($0.member.podID) (\($0.member.incarnation))" }.joined(separator: ", ")
      let meant = incarnation.map { "\(pod) of incarnation \($0)" } ?? pod
      throw Failure("no member of cluster \(directory.cluster) is \(meant); its members: \(known)")
    }
    let lost = named.filter(\.isLost)
    let meant = lost.isEmpty || incarnation != nil ? named : lost
    guard meant.count == 1 || !lost.isEmpty else {
      throw Failure("several processes have the id \(pod), and none is in grace: say which with --incarnation")
    }
    let answering = await Fleet(meant.map(\.member), timeout: fleet.timeout).whoAnswers()
    for one in meant { try check(one, answers: answering.contains(one.member.incarnation)) }
    guard yes || confirms() else { throw ExitCode(1) }
    for one in meant {
      try await directory.gone(one.member.incarnation)
      printProgress("\(pod), incarnation \(one.member.incarnation), is forgotten")
    }
  }

  private func check(_ status: MemberStatus, answers: Bool) throws {
    let who = "\(pod), incarnation \(status.member.incarnation),"
    var signs: [String] = []
    if !status.isLost {
      signs.append("has a lease for another \(Int(status.leaseLeft / .milliseconds(1))) ms, and renews it")
    }
    if answers { signs.append("answers at \(status.member.description.peerEndpoint)") }
    guard !signs.isEmpty else { return }
    let words = "\(who) looks alive: it " + signs.joined(separator: "; it ")
    guard yes else {
      printProgress("\(words). Not forgotten; stop it, or say --yes")
      throw ExitCode(1)
    }
    printProgress("warning: \(words). It will close all its streams, and join anew")
  }

  private func confirms() -> Bool {
    guard canAsk else {
      printProgress("not forgotten: there is nobody to ask here; --yes says that its process is dead")
      return false
    }
    if ask("Its process is dead, and can't come back? Then type its id (\(pod)): ") == pod { return true }
    printProgress("not forgotten")
    return false
  }
}

extension MemberStatus {
  /// Its lease is over, noticed yet or not.
  fileprivate var isLost: Bool { member.state == .grace || leaseLeft == .zero }
}
