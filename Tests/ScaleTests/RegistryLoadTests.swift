import Scale
import Testing

@Suite struct RegistryLoadTests {
  private let assumptions = ScaleAssumptions()

  private func call(_ microseconds: Double) -> CallCost {
    CallCost(commands: 2, scriptMicroseconds: microseconds / 2, cpuMicroseconds: microseconds)
  }

  private func costs(_ members: [Int] = [10, 1_000]) -> RegistryCosts {
    RegistryCosts(
      taken: "made up", bytesPerSession: 400, bytesPerRecord: 200, bytesPerFurtherRecord: 80, bytesPerIndexEntry: 60,
      registration: call(50), unregistration: call(40), recordsRead: call(20), restoration: call(25),
      stampsPoll: call(10), sweepPoll: call(30), announcementMicrosecondsPerFollower: 5,
      bySize: members.map { members in
        MembershipCosts(
          members: members, membershipBytes: 1_000 * Double(members), viewBytes: 100 * Double(members),
          announcementBytes: 180, renewal: call(40), acknowledgement: call(30), windowRead: call(Double(members)),
          join: call(10 * Double(members)))
      })
  }

  @Test func costsLieOnALineBetweenSizesAndBeyond() {
    let costs = costs()
    #expect(costs.membership(of: 505).windowRead.cpuMicroseconds == 505)
    #expect(costs.membership(of: 2_000).join.cpuMicroseconds == 20_000)
    #expect(costs.membership(of: 10).viewBytes == 1_000)
    #expect(self.costs([100]).membership(of: 5).viewBytes == 10_000)
  }

  @Test func theRestIsTheSumOfItsCalls() {
    let load = RegistryLoad(pods: 100, sessions: 1_000_000, costs: costs(), assumptions: assumptions)
    #expect(load.senders == 10)
    #expect(load.connections == 320)
    #expect(load.sessionBytes == 4e8)
    #expect(load.commandsAtRest["renewals"] == 100)
    #expect(load.commandsAtRest["window reads"] == 11)
    // 100 renewals, 99 polls, 11 windows, 66.7 sweeps.
    let microseconds: Double = 4_000 + 990 + 1_100 + 2_000
    #expect(abs(load.cpuAtRest - microseconds / 1e6) < 1e-9)
    #expect(abs(load.cpuConnecting - load.cpuAtRest - 5_000 * 50 / 1e6) < 1e-9)
    #expect(abs(load.mostRegistrationsPerSecond - (1e6 - microseconds) / 50) < 1e-6)
    // The join, an acknowledgement each, two announcements to 110 followers.
    #expect(abs(load.secondsPerChange - (1_000 + 100 * 30 + 2 * 110 * 5) / 1e6) < 1e-9)
    #expect(abs(load.secondsToRestoreAll - 25e6 / (1e6 - microseconds)) < 1e-9)
  }

  @Test func whatRedisCantDoAtRestNeverEnds() {
    let load = RegistryLoad(pods: 50_000, sessions: 500_000_000, costs: costs(), assumptions: assumptions)
    #expect(load.cpuAtRest > 1)
    #expect(load.mostRegistrationsPerSecond == 0)
    #expect(load.secondsToRestoreAll == RegistryLoad.never)
  }

  @Test func aLimitHoldsUpToItsBreakingPointAndNotBeyond() throws {
    let pods = ScaleLimit.mostPods(
      "Redis: connections", sessionsPerPod: 10_000, costs: costs(), viewBuildSecondsPerPod: 0,
      assumptions: assumptions)
    // Three for each pod, two for each of 312 Senders: 9,996.
    #expect(pods == 3_124)
    for (pods, holds) in [(pods, true), (pods + 5, false)] {
      let load = RegistryLoad(pods: pods, sessions: 1, costs: costs(), assumptions: assumptions)
      let limit = try #require(
        ScaleLimit.all(load, viewBuildSeconds: 0, assumptions: assumptions).first { $0.name == "Redis: connections" })
      #expect((limit.ratio <= 1) == holds)
    }
  }
}
