internal import Logging
internal import Placement
internal import Synchronization

// The links to the pods: one for each member of the view, those in grace included, as they may still hold sessions.
// A link is opened when its member enters the view and closed when it leaves it.

final class LinkTable: Sendable {
  private let configuration: SenderConfiguration
  private let window: @Sendable () -> Window?
  private let observer: any SenderObserver
  private let logger: Logger
  private let links = Mutex<[Incarnation: PodLink]>([:])
  private let opened = AsyncStream.makeStream(of: PodLink.self)

  init(
    configuration: SenderConfiguration, window: @escaping @Sendable () -> Window?, observer: any SenderObserver,
    logger: Logger
  ) {
    self.configuration = configuration
    self.window = window
    self.observer = observer
    self.logger = logger
  }

  /// Opens the link if there is none yet: a push may know a newer view than was followed.
  func link(to member: Member) -> PodLink {
    // A push may also go by a view that is older than the one followed.
    if let view = window()?.current, view.member(member.incarnation) == nil, member.incarnation <= view.newest {
      let link = makeLink(member)
      link.close()
      return link
    }
    let (link, isNew) = links.withLock { links in
      if let link = links[member.incarnation] { return (link, false) }
      let link = makeLink(member)
      links[member.incarnation] = link
      return (link, true)
    }
    if isNew { opened.continuation.yield(link) }
    return link
  }

  func follow(_ view: View) {
    for member in view.members { _ = link(to: member) }
    let gone = links.withLock { links in
      // A member newer than this view was opened by a push that knows a newer one.
      let gone = links.filter { view.member($0.key) == nil && $0.key <= view.newest }
      for incarnation in gone.keys { links[incarnation] = nil }
      return gone.values
    }
    for link in gone { link.close() }
    reportLinks()
  }

  func checkForStalls(now: ContinuousClock.Instant) {
    for link in links.withLock({ Array($0.values) }) { link.checkForStall(now: now) }
  }

  /// Runs the links until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await link in opened.stream { group.addTask { await link.run() } }
      group.cancelAll()
    }
  }

  private func makeLink(_ member: Member) -> PodLink {
    PodLink(
      member: member, configuration: configuration,
      hooks: .init(
        window: { [window] in window()?.stamps ?? .none },
        batchSent: { [observer] in observer.batchSent(calls: $0) },
        stateChanged: { [weak self] in self?.reportLinks() }),
      logger: logger)
  }

  private func reportLinks() {
    let all = links.withLock { Array($0.values) }
    observer.linksUp(all.count(where: \.isUp), of: all.count)
  }
}
