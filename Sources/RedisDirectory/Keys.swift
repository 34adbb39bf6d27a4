internal import Placement
internal import RedisClient
internal import Sessions

/// The schema of the registry: every key, in one place.
///
/// What stands in braces is the *hash tag*: Redis Cluster puts keys of one tag into one slot, and a script may only
/// touch keys of one slot. So the membership of a cluster shares the tag `{NAME}`; each user's records and each
/// incarnation's keys have a tag of their own, so that they spread over all shards. No script touches two tags.
///
/// ```
/// pushring:{NAME}:meta        hash    format        "1"; another one is refused
///                                     settings      "renewal lease grace tokens recovery", µs but for the tokens
///                                     run_id        of the server
///                                     clock, last   the registry clock, and TIME at the call that set it (both µs)
///                                     incarnation   the largest one given
///                                     version, digest, current, published
///                                                   the current view (ViewCoding.swift) and when it was made (TIME, µs)
///                                     settled, settled_version, settled_digest
///                                     settles_from, admits_from
///                                                   after a loss of data: before, no view settles and no new member
///                                                   admits anybody (registry clock, µs)
///                                     floor_version, floor_digest
///                                                   by a resume after a loss of data, until the next view
/// pushring:{NAME}:members     hash    incarnation → description, state, since: the next view
/// pushring:{NAME}:leases      zset    incarnation → end of its lease by the registry clock, µs
/// pushring:{NAME}:grace       zset    incarnation → end of its grace by the registry clock, µs
/// pushring:{NAME}:load        hash    incarnation → "sessions strays limit", the last 0 without a limit
/// pushring:{NAME}:waiting     set     incarnations whose acknowledgement the current view waits for
/// pushring:{NAME}:pending     set     incarnations changed since the current view was published
/// pushring:{NAME}:departed    zset    incarnation gone, its records not yet swept → when (registry clock, µs)
/// pushring:{NAME}:swept       zset    the same, swept; kept a day, so that it can't resume → until when
/// pushring:{NAME}:orders      hash    number        counts the orders, so that a renewal tells whether there is a new one
///                                     homing        "off" when pods are not to move strays by themselves
///                                     pod:ID        what an operator ordered for a pod: "weight state" (order.lua)
///                                     own:N         the weight that incarnation N joined with, once another was ordered
/// pushring:{NAME}:rebalance   hash    the rebalance that is under way, or was last (rebalance.lua)
/// pushring:{NAME}:views       channel differences of views, and which view settled (ViewAnnouncement.swift)
///
/// pushring:{NAME:u:USER}:sessions     hash    session id → record (RecordCoding.swift)
///
/// pushring:{NAME:i:N}:index           set     "user \t session" of incarnation N: a hint for the sweeper, not the truth
/// pushring:{NAME:i:N}:takeovers       stream  sessions of N that connected again elsewhere; bounded, expires
/// pushring:{NAME:i:N}:hint            channel "there are takeovers to take"
/// ```
///
/// A user id may hold braces. The tag then ends earlier, at the first closing one, and still is the same for all
/// keys of that user.
struct Keys: Sendable {
  let cluster: ClusterName

  var meta: String { membership("meta") }
  var departed: String { membership("departed") }
  var swept: String { membership("swept") }
  var views: String { membership("views") }

  /// What the prelude `membership.lua` expects as KEYS, in its order.
  var allMembership: [String] {
    [meta, membership("members"), membership("leases"), membership("grace"), membership("load")]
      + [membership("waiting"), membership("pending"), departed, swept, membership("orders"), membership("rebalance")]
  }

  func sessions(of user: UserID) -> String { sessions(ofUserText: user.text) }
  func sessions(ofUserText user: String) -> String { userPrefix + user + Self.userSuffix }
  func index(of incarnation: Incarnation) -> String { "pushring:{\(cluster):i:\(incarnation)}:index" }
  func takeovers(of incarnation: Incarnation) -> String { "pushring:{\(cluster):i:\(incarnation)}:takeovers" }
  func hint(for incarnation: Incarnation) -> String { "pushring:{\(cluster):i:\(incarnation)}:hint" }

  /// For SCAN: what records, and their indexes, are stored at, and little else. A cluster's name has nothing in it that a
  /// pattern takes for more than itself.
  var auditPattern: String { "pushring:{\(cluster):[ui]:*" }

  /// Nil when it is no key of a user's records.
  func user(ofSessions key: String) -> String? {
    middle(of: key, after: userPrefix, before: Self.userSuffix)
  }

  /// Nil when it is no key of an index.
  func incarnation(ofIndex key: String) -> Incarnation? {
    middle(of: key, after: "pushring:{\(cluster):i:", before: "}:index").flatMap { UInt64($0) }.map(Incarnation.init)
  }

  /// By bytes: a user may begin with a character that would combine with what stands before it.
  private func middle(of key: String, after prefix: String, before suffix: String) -> String? {
    let (bytes, length) = (key.utf8, prefix.utf8.count + suffix.utf8.count)
    guard bytes.count > length, bytes.starts(with: prefix.utf8),
      bytes.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    else { return nil }
    return String(bytes.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count))
  }

  private var userPrefix: String { "pushring:{\(cluster):u:" }
  private static let userSuffix = "}:sessions"

  private func membership(_ name: String) -> String { "pushring:{\(cluster)}:\(name)" }
}
