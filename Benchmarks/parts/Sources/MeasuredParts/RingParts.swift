internal import HashRing
internal import Placement
internal import Sessions

extension Part {
  static let hashAndRing =
    [hash] + [10, 100, 1_000].map(lookUp) + [owner] + [10, 100].map(ringBuild) + [10, 100].map(movement)

  private static let hash = Part("hash: a user id", input: { try Inputs.users() }) { users, number in
    Int(truncatingIfNeeded: keyHash(users[number % users.count].text.utf8))
  }

  private static func lookUp(_ size: Int) -> Part {
    Part("ring: look-up, \(size) members") {
      (ring: try HashRing(members: Inputs.ringMembers(size)), hashes: try Inputs.userHashes())
    } operation: { input, number in
      input.ring.owner(of: input.hashes[number % input.hashes.count])?.weight ?? 0
    }
  }

  private static let owner = Part("view: a user's owner, 100 members") {
    (view: try Inputs.view(100), hashes: try Inputs.userHashes())
  } operation: { input, number in
    Int(input.view.owner(ofUserHash: input.hashes[number % input.hashes.count])?.incarnation.rawValue ?? 0)
  }

  private static func ringBuild(_ size: Int) -> Part {
    Part("ring: build, \(size) members", counted: 100 / size, input: { Inputs.ringMembers(size) }) { members, _ in
      try HashRing(members: members).members.count
    }
  }

  /// What moves when one more joins.
  private static func movement(_ size: Int) -> Part {
    Part("ring: movement, \(size) members and one more", counted: 100 / size) {
      (
        before: try HashRing(members: Inputs.ringMembers(size)),
        after: try HashRing(members: Inputs.ringMembers(size + 1))
      )
    } operation: { rings, _ in
      rings.before.movement(to: rings.after).count
    }
  }
}
