extension RegistryCosts {
  /// Taken by `pushring scale --redis` in a release build; user ids of 16 bytes, session ids of 17, pod ids of 17 to 21.
  /// Scripts' own times are by the clock, so where other programs had the core they are above the CPU time.
  public static let recorded = RegistryCosts(
    taken: "recorded: measured on Redis 7.0.15, one instance, AMD EPYC", bytesPerSession: 314, bytesPerRecord: 200,
    bytesPerFurtherRecord: 80, bytesPerIndexEntry: 92,
    registration: CallCost(commands: 2, scriptMicroseconds: 6.4, cpuMicroseconds: 16.1),
    unregistration: CallCost(commands: 2, scriptMicroseconds: 3.7, cpuMicroseconds: 13),
    recordsRead: CallCost(commands: 2, scriptMicroseconds: 0, cpuMicroseconds: 8.1),
    restoration: CallCost(commands: 2, scriptMicroseconds: 4.3, cpuMicroseconds: 5.8),
    stampsPoll: CallCost(commands: 1, scriptMicroseconds: 0, cpuMicroseconds: 7.2),
    sweepPoll: CallCost(commands: 3, scriptMicroseconds: 0, cpuMicroseconds: 22),
    announcementMicrosecondsPerFollower: 6.6,
    bySize: [
      MembershipCosts(
        members: 10, membershipBytes: 5_208, viewBytes: 861, announcementBytes: 173,
        renewal: CallCost(commands: 2, scriptMicroseconds: 17.8, cpuMicroseconds: 26.8),
        acknowledgement: CallCost(commands: 1, scriptMicroseconds: 34.4, cpuMicroseconds: 68.2),
        windowRead: CallCost(commands: 1, scriptMicroseconds: 17, cpuMicroseconds: 25.2),
        join: CallCost(commands: 1, scriptMicroseconds: 347, cpuMicroseconds: 469)),
      MembershipCosts(
        members: 100, membershipBytes: 41_192, viewBytes: 8_425, announcementBytes: 177,
        renewal: CallCost(commands: 2, scriptMicroseconds: 18.5, cpuMicroseconds: 27),
        acknowledgement: CallCost(commands: 1, scriptMicroseconds: 22.9, cpuMicroseconds: 35.9),
        windowRead: CallCost(commands: 1, scriptMicroseconds: 45.5, cpuMicroseconds: 49.7),
        join: CallCost(commands: 1, scriptMicroseconds: 534, cpuMicroseconds: 636)),
      MembershipCosts(
        members: 1_000, membershipBytes: 541_016, viewBytes: 86_463, announcementBytes: 178,
        renewal: CallCost(commands: 2, scriptMicroseconds: 20.4, cpuMicroseconds: 30.6),
        acknowledgement: CallCost(commands: 1, scriptMicroseconds: 20.9, cpuMicroseconds: 27.8),
        windowRead: CallCost(commands: 1, scriptMicroseconds: 200.7, cpuMicroseconds: 223.2),
        join: CallCost(commands: 1, scriptMicroseconds: 3_255, cpuMicroseconds: 3_439)),
      MembershipCosts(
        members: 3_000, membershipBytes: 1_707_592, viewBytes: 263_705, announcementBytes: 181,
        renewal: CallCost(commands: 2, scriptMicroseconds: 19.5, cpuMicroseconds: 30.1),
        acknowledgement: CallCost(commands: 1, scriptMicroseconds: 18, cpuMicroseconds: 26.7),
        windowRead: CallCost(commands: 1, scriptMicroseconds: 582.6, cpuMicroseconds: 659.7),
        join: CallCost(commands: 1, scriptMicroseconds: 13_376, cpuMicroseconds: 10_342)),
      MembershipCosts(
        members: 10_000, membershipBytes: 54_698, viewBytes: 896_797, announcementBytes: 186,
        renewal: CallCost(commands: 2, scriptMicroseconds: 20.6, cpuMicroseconds: 29.1),
        acknowledgement: CallCost(commands: 1, scriptMicroseconds: 19.9, cpuMicroseconds: 25.8),
        windowRead: CallCost(commands: 1, scriptMicroseconds: 2_272.8, cpuMicroseconds: 2_160.1),
        join: CallCost(commands: 1, scriptMicroseconds: 64_579, cpuMicroseconds: 40_736)),
    ])
}
