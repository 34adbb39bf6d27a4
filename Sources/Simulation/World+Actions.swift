import Placement
import Rebalancing
import Sessions

// What is done to the cluster, by chance or by a scenario.

extension World {
  // MARK: Pods

  func addPod(_ podID: String) { pods.append(Pod(index: pods.count, podID: podID)) }

  /// A new process at the pod's address.
  func start(_ pod: Pod) {
    guard pod.process == nil else { return }
    pod.starts += 1
    let process = MemberProcess(self, pod, name: "\(pod.description.podID)@\(pod.index + 1).\(pod.starts)")
    pod.process = process
    processes.append(process)
    tell("\(process.name) starts, and listens")
    process.start()
  }

  func crash(_ pod: Pod) {
    guard let process = pod.process else { return }
    tell("\(process.name) is killed (SIGKILL)")
    stopped(process)
  }

  /// The process is no more, and nobody listens at its address.
  func stopped(_ process: MemberProcess) {
    process.kill()
    process.pod.process = nil
    for client in clients {
      for trace in client.streams where trace.process === process { trace.closedAtPod(self) }
      at(network.delay(&random)) { client.connectionsBroke(to: process) }
    }
  }

  var livePods: [Pod] { pods.filter { $0.process != nil } }

  /// The address of the user's owner by the registry's view, if somebody listens there.
  func owner(of user: User) -> Pod? {
    guard let owner = server.registry.meta?.current?.owner(ofUserHash: user.hash) else { return nil }
    return pods[owner.address].process == nil ? nil : pods[owner.address]
  }

  func placeToConnect(_ user: User, isStray: Bool, besides: Int?) -> Int {
    if !isStray, let owner = owner(of: user), owner.index != besides { return owner.index }
    let others = livePods.map(\.index).filter { $0 != besides }
    return random.pick(others) ?? random.below(pods.count)
  }

  /// An operator's word, if the registry hears it.
  func order(_ podID: String, _ change: @escaping (inout PodOrder) -> Void) {
    guard server.condition == .serving else { return }
    let wait = inRegistry { $0.order(podID, change).wait }
    let order = server.registry.orders[podID]
    tell(
      "an operator orders for \(podID): \(order?.state ?? .active), weight \(order?.weight.map(String.init) ?? "its own")"
    )
    publishOrder(wait)
  }

  private func publishOrder(_ wait: Duration) {
    guard wait > .zero else { return }
    at(wait) { [self] in
      if server.condition == .serving { publishOrder(inRegistry { $0.readWindow().wait }) }
    }
  }

  // MARK: The network

  func cut(_ from: Place, _ to: Place, isOneWay: Bool = false) {
    tell("cut: \(from.name) to \(to.name)\(isOneWay ? ", one way" : "")")
    network.cut(from, to)
    if !isOneWay { network.cut(to, from) }
  }

  func mend(_ from: Place, _ to: Place, isOneWay: Bool = false) {
    tell("mended: \(from.name) to \(to.name)")
    network.mend(from, to)
    if !isOneWay { network.mend(to, from) }
  }

  // MARK: The registry

  func stopRegistry() {
    tell("the registry stops")
    server.stop()
  }

  func hangRegistry() {
    tell("the registry hangs")
    server.hang()
  }

  func startRegistry() {
    switch server.condition {
    case .serving: break
    case .hanging:
      tell("the registry goes on")
      for call in server.goOn() { at(random.duration(.zero ... .milliseconds(1)), call) }
    case .stopped:
      tell("the registry is started again, with its data")
      server.startAgain()
    }
  }

  func failOverRegistry(losing count: Int) {
    tell("the registry fails over to a replica that lacks the last \(count) calls")
    server.failOver(losing: count)
  }

  func flushRegistry() {
    tell("the registry is emptied (FLUSHALL)")
    server.flush()
  }

  func replaceRegistry() {
    tell("the registry is replaced by an empty one")
    server.startEmpty()
  }

  // MARK: The end of the faults

  func mendAll() {
    tell("all faults end")
    network.mendAll()
    network.weather = .fair
    startRegistry()
    deathsBeforeWelcome = 0
    for podID in Set(pods.map(\.description.podID)).sorted() { order(podID) { $0.state = .active } }
    for sender in senders { goOn(sender) }
    for pod in pods {
      if let process = pod.process { goOn(process) } else { start(pod) }
    }
    // Sessions that rest after a failed move would hold the rest of the cluster up.
    for process in livePods.compactMap(\.process) { process.mover.wakeAll() }
  }

  /// Sessions that are not where they belong, and could be.
  func strays() -> [String] {
    guard let current = server.registry.meta?.current else { return [] }
    return clients.flatMap(\.streams).filter { $0.isOpen && $0.client.mobility == .moves }.compactMap { trace in
      guard let owner = current.owner(ofUserHash: trace.userHash), owner.incarnation != trace.process.incarnation,
        let home = pods[owner.address].process, !home.isFull
      else { return nil }
      return "\(trace.name) is on \(trace.process.name), and belongs on \(home.name), which has room"
    }
  }

  /// What is not as it has to be in a cluster at rest.
  func unsettled() -> [String] {
    var problems: [String] = []
    let live = livePods.compactMap(\.process)
    // All have left: there is nobody whose rest could be looked at.
    guard !live.isEmpty else { return [] }
    guard let meta = server.registry.meta, let current = meta.current, meta.settled?.stamp == current.stamp else {
      return ["the current view has not settled"]
    }
    let expected = live.compactMap(\.incarnation).sorted()
    if current.members.map(\.incarnation) != expected || current.members.contains(where: { $0.state != .active }) {
      problems.append("the view has other members than those that live: \(story.describe(current))")
    }
    for process in live where process.placement?.window.stamps != Window(settled: current, current: current).stamps {
      problems.append("\(process.name) goes by another window")
    }
    for process in live where process.window?.stamps != Window(settled: current, current: current).stamps {
      problems.append("\(process.name) follows another window")
    }
    for user in users { problems += unsettled(user, live, current) }
    return problems
  }

  private func unsettled(_ user: User, _ live: [MemberProcess], _ view: View) -> [String] {
    var problems: [String] = []
    let open = checker.openStreams(of: user.hash)
    let records = server.registry.records(of: user.id)
    let expected = open.compactMap(\.record).sorted { $0.key.session.text < $1.key.session.text }
    // What a pod wrote into a registry that had just been emptied, and was killed before it had resumed: nobody knows that
    // it ever was. Its record is void, and stays until the session comes back.
    func isKnown(_ record: SessionRecord) -> Bool { server.registry.hasKnown(record.incarnation) }
    for record in records where !expected.contains(record) && isKnown(record) {
      problems.append("no stream stands behind the record of \(user.id)/\(record.key.session), \(describe(record))")
    }
    for record in expected where !records.contains(record) {
      problems.append("the stream of \(user.id)/\(record.key.session) has no record, \(describe(record))")
    }
    for process in live {
      guard let placement = process.placement else { continue }
      let isOwner = view.owner(ofUserHash: user.hash)?.incarnation == placement.incarnation
      let strays = placement.claim(forUserHash: user.hash, now: process.now).strays.sorted()
      let elsewhere = Set(open.filter { $0.process !== process }.compactMap(\.record?.incarnation)).sorted()
      if strays != (isOwner ? elsewhere : []) {
        problems.append(
          """
          \(process.name), \(isOwner ? "" : "not ")the owner of \(user.id), knows strays on \
          \(strays.map(story.short)), and they are on \(elsewhere.map(story.short))
          """)
      }
    }
    return problems
  }

  func describe(_ record: SessionRecord) -> String {
    "\(record.podID) \(story.short(record.incarnation)), epoch …\(record.epoch.rawValue % 100_000_000)"
  }
}
