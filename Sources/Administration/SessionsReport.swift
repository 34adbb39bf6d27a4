internal import HashRing
public import Placement
public import Sessions

/// What `pushring sessions USER` shows: the registry's records of one user, judged by a view.
public struct SessionsReport: Sendable, Hashable, Encodable {
  public enum Place: String, Sendable, Hashable, Encodable {
    /// On the user's owner.
    case owner
    /// On another pod.
    case stray
    /// On a pod whose lease ended and that may still come back.
    case grace
    /// On a process that is gone; the sweeper will take the record.
    case void
    /// On a process that is newer than the view: look again.
    case newer
  }

  public struct Row: Sendable, Hashable, Encodable {
    public let session: String
    public let pod: String
    public let incarnation: UInt64
    public let epoch: UInt64
    public let place: Place
  }

  public let user: String
  public let owner: String?
  /// Ordered by session id.
  public let sessions: [Row]

  public init(user: UserID, records: [SessionRecord], view: View?) {
    let owner = view?.owner(ofUserHash: keyHash(user.text.utf8))
    self.user = user.text
    self.owner = owner?.podID
    sessions =
      records
      .map { record in
        Row(
          session: record.key.session.text, pod: record.podID, incarnation: record.incarnation.rawValue,
          epoch: record.epoch.rawValue, place: place(of: record, owner: owner, view: view))
      }
      .sorted { $0.session < $1.session }
  }
}

private func place(of record: SessionRecord, owner: Member?, view: View?) -> SessionsReport.Place {
  guard let member = view?.member(record.incarnation) else {
    // Incarnations only grow, so one above all that the view has is not gone but new.
    let newest = view?.members.map(\.incarnation).max() ?? Incarnation(rawValue: 0)
    return record.incarnation > newest ? .newer : .void
  }
  if member.state == .grace { return .grace }
  return member.incarnation == owner?.incarnation ? .owner : .stray
}
