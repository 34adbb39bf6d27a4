/// What a view says of an incarnation that a session record names.
///
/// A record is *void* when its incarnation is neither a member nor in grace, judged by a view at least as new as the
/// record. Incarnations only grow, so a view tells by the newest it knows of whether it is new enough to judge.
public enum IncarnationStanding: Hashable, Sendable {
  /// Active, draining or in grace: its records count.
  case member(Member)
  /// It left, or was written off: its records are void, and the sweeper's.
  case void
  /// It joined after this view was made: refresh the view, then judge again.
  case newerThanView
}

extension View {
  public func standing(of incarnation: Incarnation) -> IncarnationStanding {
    if let member = member(incarnation) { return .member(member) }
    return incarnation > newest ? .newerThanView : .void
  }
}
