/// Tells owners of strays (R1, R2), one report at a time each, and finds out who is gone.
internal import Logging
internal import Placement
internal import RedisDirectory
internal import SessionEdge
internal import Synchronization
internal import Wire

final class StrayReporter: Sendable {
  private let hub: SessionHub
  private let directory: RedisDirectory
  private let observer: any SessionManagerObserver
  private let calls: PeerCalls
  private let busy = Mutex<Set<Incarnation>>([])

  private static let firstPause = Duration.milliseconds(20)
  private static let longestPause = Duration.milliseconds(500)
  private static let concurrentQuestions = 32

  init(hub: SessionHub, directory: RedisDirectory, observer: any SessionManagerObserver, logger: Logger) {
    self.hub = hub
    self.directory = directory
    self.observer = observer
    calls = PeerCalls(logger: logger)
  }

  /// Until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      var seen: WindowStamps?
      for await _ in hub.reportWork.stream {
        if let stamps = hub.readPlacement({ $0.window.stamps }), stamps != seen {
          seen = stamps
          calls.keep(hub.readPlacement { $0.knownIncarnations } ?? [])
        }
        for owner in hub.readPlacement({ $0.ownersToTell }) ?? [] where begin(owner) {
          group.addTask {
            await self.tell(owner)
            self.end(owner)
          }
        }
      }
      group.cancelAll()
    }
    calls.closeAll()
  }

  private func begin(_ owner: Incarnation) -> Bool { busy.withLock { $0.insert(owner).inserted } }

  /// Work that came after the last look is found by another one.
  private func end(_ owner: Incarnation) {
    _ = busy.withLock { $0.remove(owner) }
    if hub.readPlacement({ $0.nextReport(to: owner, limit: 1) != nil }) == true { hub.reportWork.continuation.yield() }
  }

  private func tell(_ owner: Incarnation) async {
    var pause = Self.firstPause
    while !Task.isCancelled {
      guard let (report, member, stamps) = hub.nextReport(to: owner) else { return }
      switch await calls.record(Pushring_V1_StrayReport(report, stamps), at: member) {
      case .answered(let wire):
        hub.stampsSeen(WindowStamps(wire.window))
        observer.straysReported(report.entries.count)
        let receipt = StrayReceipt(series: wire.series, recordedThrough: wire.recordedThrough)
        // A new series, or entries that came meanwhile, go at once; an owner that records nothing is not pressed.
        if hub.changePlacement({ $0.receiptReceived(receipt, from: owner) }) == .changed {
          pause = Self.firstPause
        } else {
          try? await Task.sleep(for: pause)
          pause = min(pause * 2, Self.longestPause)
        }
      case .gone:
        await writeOff(member)
        return
      case .silent:
        try? await Task.sleep(for: pause)
        pause = min(pause * 2, Self.longestPause)
      }
    }
  }

  // MARK: Who is gone, and who else has lost the registry

  /// While the registry does not answer it is told later, by `writeOffTheGone`.
  private func writeOff(_ member: Member) async {
    hub.changePlacement { $0.provedGone(member.incarnation) }
    observer.podProvenGone()
    try? await directory.gone(member.incarnation)
  }

  /// Looks whether members in grace are gone: then nothing has to wait for the end of their grace.
  func writeOffTheGone() async {
    for incarnation in hub.readPlacement({ $0.provenGoneMembers }) ?? [] { try? await directory.gone(incarnation) }
    let inGrace = otherMembers { $0.state == .grace }
    await ask((inGrace ?? []).shuffled().prefix(Self.concurrentQuestions)) { member, answer in
      if case .gone = answer { await self.writeOff(member) }
    }
  }

  /// Asks all members of the view whether they reach the registry: an outage is confirmed when some say that they don't,
  /// and none says that it does, or when no other is left.
  func isOutageConfirmed() async -> Bool {
    guard let others = otherMembers(where: { _ in true }) else { return false }
    let tally = Mutex((reach: 0, lost: 0, gone: 0))
    await ask(others[...]) { member, answer in
      switch answer {
      case .answered(let receipt):
        tally.withLock { if receipt.reachesRegistry { $0.reach += 1 } else { $0.lost += 1 } }
      case .gone:
        self.hub.changePlacement { $0.provedGone(member.incarnation) }
        tally.withLock { $0.gone += 1 }
      case .silent:
        break
      }
    }
    let (reach, lost, gone) = tally.withLock { $0 }
    return reach == 0 && (lost > 0 || gone == others.count)
  }

  /// Asks one member how it is.
  func ask(_ member: Member) async -> PeerCalls.Answer {
    let answer = OneShot<PeerCalls.Answer>()
    await ask([member][...]) { answer.succeed($1) }
    calls.close(member.incarnation)
    return answer.result ?? .silent("no answer")
  }

  /// Of the current view; nil when this pod is no member itself.
  private func otherMembers(where isMeant: (Member) -> Bool) -> [Member]? {
    guard let (window, incarnation) = hub.readPlacement({ ($0.window, $0.incarnation) }) else { return nil }
    return window.current.members.filter { $0.incarnation != incarnation && isMeant($0) }
  }

  private func ask(
    _ members: ArraySlice<Member>, then handle: @escaping @Sendable (Member, PeerCalls.Answer) async -> Void
  ) async {
    // Meant for nobody, so that nothing is recorded: only who answers, and how it is, counts.
    var question = Pushring_V1_StrayReport()
    question.window = Pushring_V1_ViewWindow(hub.window?.stamps ?? .none)
    question.reporter = hub.incarnation?.rawValue ?? 0
    await withTaskGroup(of: Void.self) { group in
      for (index, member) in members.enumerated() {
        if index >= Self.concurrentQuestions { await group.next() }
        group.addTask { [question] in await handle(member, await self.calls.record(question, at: member)) }
      }
    }
  }
}

extension SessionHub {
  /// With the owner's address and the names of our views; nil when there is nothing to tell.
  func nextReport(to owner: Incarnation) -> (StrayReport, Member, WindowStamps)? {
    readPlacement { placement in
      guard let member = placement.knownMember(owner), let report = placement.nextReport(to: owner) else { return nil }
      return (report, member, placement.window.stamps)
    } ?? nil
  }
}
