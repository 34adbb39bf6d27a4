import Placement
import Sessions

// StrayReporter, re-enacted: tells owners, finds out who is gone, and who else has lost the registry.

extension MemberProcess {
  /// The answer to a report, or to a question that is meant for nobody.
  struct PeerAnswer {
    let owner: Incarnation?
    let reachesRegistry: Bool
    let receipt: StrayReceipt?
    let stamps: WindowStamps
  }

  private enum PeerOutcome {
    case answered(PeerAnswer)
    case gone
    case silent
  }

  private func ask(_ member: Member, _ report: StrayReport?, then: @escaping (PeerOutcome) -> Void) {
    let stamps = window?.stamps ?? .none
    world.callPod(
      from: self, to: member.address, timeout: world.timing.peerTimeout, mayDouble: true,
      serve: { $0.asked(report, stamps) }
    ) { outcome in
      switch outcome {
      case .answered(let answer) where answer.owner == member.incarnation: then(.answered(answer))
      // Another incarnation answers there.
      case .answered(let answer): then(answer.owner == nil ? .silent : .gone)
      case .refused: then(.gone)
      case .silent: then(.silent)
      }
    }
  }

  /// The receiving half.
  private func asked(_ report: StrayReport?, _ stamps: WindowStamps) -> PeerAnswer {
    stampsSeen(stamps)
    var receipt: StrayReceipt?
    if let report, let incarnation, incarnation == report.owner {
      receipt = isBroken(.order) ? recordOutOfOrder(report) : placement?.record(report)
      world.tell(
        "\(name) has from \(world.story.short(report.reporter)): \(describe(report.entries)), recorded through \(receipt?.recordedThrough ?? 0)"
      )
      isTouched = true
    }
    return PeerAnswer(
      owner: incarnation, reachesRegistry: reachesRegistry, receipt: receipt, stamps: window?.stamps ?? .none)
  }

  private func describe(_ entries: [StrayEntry]) -> String {
    entries.map { entry in
      let user = world.users.first { $0.hash == entry.userHash }
      return "\(entry.isRetraction ? "-" : "+")\(user?.id.text ?? "?")"
    }.joined(separator: " ")
  }

  private func recordOutOfOrder(_ report: StrayReport) -> StrayReceipt {
    disorderedSeries += 1
    _ = placement?.record(
      StrayReport(
        reporter: report.reporter, owner: report.owner, series: disorderedSeries, firstNumber: 1,
        entries: report.entries))
    return StrayReceipt(
      series: report.series, recordedThrough: report.firstNumber + UInt64(report.entries.count) - 1)
  }

  // MARK: Telling

  func tellOwners() {
    guard let placement else { return }
    for owner in placement.ownersToTell.sorted() where tellingOwners.insert(owner).inserted {
      tell(owner, pause: .milliseconds(20))
    }
  }

  private func tell(_ owner: Incarnation, pause: Duration) {
    guard let placement, let member = placement.knownMember(owner), let report = placement.nextReport(to: owner) else {
      tellingOwners.remove(owner)
      return
    }
    let again = { [self] in
      world.at(pause, for: self) { [self] in tell(owner, pause: min(pause * 2, .milliseconds(500))) }
    }
    ask(member, report) { [self] outcome in
      switch outcome {
      case .answered(let answer):
        stampsSeen(answer.stamps)
        guard let receipt = answer.receipt,
          changePlacement({ $0.receiptReceived(receipt, from: owner) }) == .changed
        else { return again() }
        tell(owner, pause: .milliseconds(20))
      case .gone:
        tellingOwners.remove(owner)
        writeOff(member) { [self] in tellOwners() }
      case .silent: again()
      }
    }
  }

  // MARK: Who is gone

  private func writeOff(_ member: Member, then: @escaping () -> Void) {
    world.tell("\(name) has proof that \(member.podID) \(world.story.short(member.incarnation)) is gone")
    changePlacement { $0.provedGone(member.incarnation) }
    world.callMembership(from: self, { $0.gone(member.incarnation) }) { _ in then() }
  }

  /// Beside the renewals, and one at a time.
  func writeOffTheGone() {
    guard let placement, !isWritingOff else { return }
    isWritingOff = true
    let others = otherMembers.filter { $0.state == .grace }
    let all = AllDone(count: placement.provenGoneMembers.count + others.count) { [self] in isWritingOff = false }
    for incarnation in placement.provenGoneMembers {
      world.callMembership(from: self, { $0.gone(incarnation) }) { _ in all.oneDone() }
    }
    for member in others {
      ask(member, nil) { [self] outcome in
        if case .gone = outcome { writeOff(member) { all.oneDone() } } else { all.oneDone() }
      }
    }
  }

  private var otherMembers: [Member] {
    placement.map { placement in placement.window.current.members.filter { $0.incarnation != placement.incarnation } }
      ?? []
  }

  /// An outage is confirmed when some members say that they don't reach the registry, and none says that it does, or when
  /// no other is left. The word of the others counts until the next renewals have been tried.
  func confirmOutage(then: @escaping () -> Void) {
    guard placement != nil else { return then() }
    let asked = now
    let others = otherMembers
    let tally = Tally()
    let all = AllDone(count: others.count) { [self] in
      let isConfirmed = tally.reach == 0 && (tally.lost > 0 || tally.gone == others.count)
      let end = now + world.timing.renewalInterval * 3 + world.timing.peerTimeout
      changePlacement { if isConfirmed { $0.outageConfirmed(asked: asked, until: end) } else { $0.outageDenied() } }
      then()
    }
    for member in others {
      ask(member, nil) { [self] outcome in
        switch outcome {
        case .answered(let answer): if answer.reachesRegistry { tally.reach += 1 } else { tally.lost += 1 }
        case .gone:
          changePlacement { $0.provedGone(member.incarnation) }
          tally.gone += 1
        case .silent: break
        }
        all.oneDone()
      }
    }
  }

  private final class Tally {
    var reach = 0
    var lost = 0
    var gone = 0
  }
}

/// Goes on when so many things are done; at once when there are none.
final class AllDone {
  private var left: Int
  private let then: () -> Void

  init(count: Int, _ then: @escaping () -> Void) {
    left = count
    self.then = then
    if count == 0 { then() }
  }

  func oneDone() {
    left -= 1
    if left == 0 { then() }
  }
}
