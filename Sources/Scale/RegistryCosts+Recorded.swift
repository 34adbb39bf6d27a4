extension RegistryCosts {
  public static let recorded = RegistryCosts(
    taken: "", bytesPerSession: 400, bytesPerRecord: 200, bytesPerFurtherRecord: 80, bytesPerIndexEntry: 100,
    registration: CallCost(commands: 2, scriptMicroseconds: 20, cpuMicroseconds: 40),
    unregistration: CallCost(commands: 2, scriptMicroseconds: 20, cpuMicroseconds: 40),
    recordsRead: CallCost(commands: 2, scriptMicroseconds: 0, cpuMicroseconds: 20),
    restoration: CallCost(commands: 2, scriptMicroseconds: 10, cpuMicroseconds: 20),
    stampsPoll: CallCost(commands: 1, scriptMicroseconds: 0, cpuMicroseconds: 10),
    sweepPoll: CallCost(commands: 3, scriptMicroseconds: 0, cpuMicroseconds: 30),
    announcementMicrosecondsPerFollower: 5,
    bySize: [10, 1_000, 10_000].map { members in
      MembershipCosts(
        members: members, membershipBytes: 1_000 * Double(members), viewBytes: 86 * Double(members),
        announcementBytes: 177,
        renewal: CallCost(commands: 2, scriptMicroseconds: 20, cpuMicroseconds: 40),
        acknowledgement: CallCost(commands: 1, scriptMicroseconds: 20, cpuMicroseconds: 30),
        windowRead: CallCost(commands: 1, scriptMicroseconds: 20, cpuMicroseconds: 30 + Double(members) / 10),
        join: CallCost(commands: 1, scriptMicroseconds: 2.7 * Double(members), cpuMicroseconds: 3 * Double(members)))
    })
}
