/// What one Redis takes for the registry's calls and records: measured (`pushring scale --redis`), or `recorded`.
public struct RegistryCosts: Codable, Hashable, Sendable {
  /// On what, and how.
  public var taken: String
  /// Redis' whole growth per registered session of a user who has one: record, index entry, and the tables of keys.
  public var bytesPerSession: Double
  /// MEMORY USAGE of the records of a user with one session, and what each further session adds.
  public var bytesPerRecord: Double
  public var bytesPerFurtherRecord: Double
  /// MEMORY USAGE of an incarnation's index, per entry.
  public var bytesPerIndexEntry: Double
  public var registration: CallCost
  public var unregistration: CallCost
  /// What a Sender reads when the owner's answer is not complete.
  public var recordsRead: CallCost
  public var restoration: CallCost
  public var stampsPoll: CallCost
  public var sweepPoll: CallCost
  /// Redis' time to hand one announcement to one subscriber.
  public var announcementMicrosecondsPerFollower: Double
  /// By number of members, ascending; at least one.
  public var bySize: [MembershipCosts]

  public init(
    taken: String, bytesPerSession: Double, bytesPerRecord: Double, bytesPerFurtherRecord: Double,
    bytesPerIndexEntry: Double, registration: CallCost, unregistration: CallCost, recordsRead: CallCost,
    restoration: CallCost, stampsPoll: CallCost, sweepPoll: CallCost, announcementMicrosecondsPerFollower: Double,
    bySize: [MembershipCosts]
  ) {
    self.taken = taken
    self.bytesPerSession = bytesPerSession
    self.bytesPerRecord = bytesPerRecord
    self.bytesPerFurtherRecord = bytesPerFurtherRecord
    self.bytesPerIndexEntry = bytesPerIndexEntry
    self.registration = registration
    self.unregistration = unregistration
    self.recordsRead = recordsRead
    self.restoration = restoration
    self.stampsPoll = stampsPoll
    self.sweepPoll = sweepPoll
    self.announcementMicrosecondsPerFollower = announcementMicrosecondsPerFollower
    self.bySize = bySize
  }
}

/// One call of the product, whatever commands it is made of.
public struct CallCost: Codable, Hashable, Sendable {
  /// Commands that Redis receives for it.
  public var commands: Double
  /// In its script, by Redis' own count; 0 where there is none.
  public var scriptMicroseconds: Double
  /// Of Redis' main thread, reading and writing sockets included: what bounds the calls per second.
  public var cpuMicroseconds: Double

  public init(commands: Double, scriptMicroseconds: Double, cpuMicroseconds: Double) {
    self.commands = commands
    self.scriptMicroseconds = scriptMicroseconds
    self.cpuMicroseconds = cpuMicroseconds
  }
}

/// What depends on the number of members.
public struct MembershipCosts: Codable, Hashable, Sendable {
  public var members: Int
  /// MEMORY USAGE of all membership keys together, the two views among them.
  public var membershipBytes: Double
  /// Text of one view.
  public var viewBytes: Double
  /// One announcement of a change.
  public var announcementBytes: Double
  /// Its takeovers are read beside it.
  public var renewal: CallCost
  public var acknowledgement: CallCost
  /// Both views as text.
  public var windowRead: CallCost
  /// A change: a member joins and the view is published, less the announcement's way to its followers.
  public var join: CallCost

  public init(
    members: Int, membershipBytes: Double, viewBytes: Double, announcementBytes: Double, renewal: CallCost,
    acknowledgement: CallCost, windowRead: CallCost, join: CallCost
  ) {
    self.members = members
    self.membershipBytes = membershipBytes
    self.viewBytes = viewBytes
    self.announcementBytes = announcementBytes
    self.renewal = renewal
    self.acknowledgement = acknowledgement
    self.windowRead = windowRead
    self.join = join
  }
}

extension RegistryCosts {
  /// Between the sizes measured in a straight line; past the last one, on along the line of the last two.
  public func membership(of members: Int) -> MembershipCosts {
    guard bySize.count > 1 else { return bySize[0] }
    let upper = bySize.indices.dropFirst().first { bySize[$0].members >= members } ?? bySize.count - 1
    return bySize[upper - 1].towards(bySize[upper], members: members)
  }
}

extension MembershipCosts {
  fileprivate func towards(_ other: MembershipCosts, members: Int) -> MembershipCosts {
    let way = Double(members - self.members) / Double(other.members - self.members)
    func between(_ field: KeyPath<MembershipCosts, Double>) -> Double {
      max(0, self[keyPath: field] + way * (other[keyPath: field] - self[keyPath: field]))
    }
    func between(_ call: KeyPath<MembershipCosts, CallCost>) -> CallCost {
      CallCost(
        commands: self[keyPath: call].commands, scriptMicroseconds: between(call.appending(path: \.scriptMicroseconds)),
        cpuMicroseconds: between(call.appending(path: \.cpuMicroseconds)))
    }
    return MembershipCosts(
      members: members, membershipBytes: between(\.membershipBytes), viewBytes: between(\.viewBytes),
      announcementBytes: between(\.announcementBytes), renewal: between(\.renewal),
      acknowledgement: between(\.acknowledgement), windowRead: between(\.windowRead), join: between(\.join))
  }
}
