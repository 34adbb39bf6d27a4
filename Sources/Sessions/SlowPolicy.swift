/// What a pod does with a message for a session whose queue is full, because its client reads too slowly or not at all.
///
/// Each bounds what is queued. None loses in silence: the push's result names the policy, and the client is told how many
/// messages it lost (`Backlogs`), or has its stream ended.
public enum SlowPolicy: String, Hashable, Sendable, CaseIterable {
  /// The new message is dropped, with the outcome `slow`: what was taken is kept. A gap opens at a place that the Sender knows.
  case dropNewest = "drop-newest"
  /// The new message is taken, and the oldest that have not begun to be written make room for it: for what the latest
  /// replaces (positions, prices). Up to as much again may be queued for the moment that this takes.
  case dropOldest = "drop-oldest"
  /// The stream is ended with what was queued for it, with the outcome `slow`: the client comes back and asks anew for what
  /// it needs to know.
  case disconnect
}
