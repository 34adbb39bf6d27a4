import Placement

/// What an operator ordered for a pod, by its id.
struct PodOrder {
  enum State: String {
    case active
    case cordoned
    /// Out of the ring, and its sessions move away.
    case emptied
  }

  /// Nil: the pod's own.
  var weight: Int?
  var state = State.active
}

// The script order, and what join and resume do by it.

extension SimulatedRegistry {
  /// Active, with the weight that it names, unless an operator ordered otherwise.
  mutating func setAsOrdered(_ incarnation: Incarnation, _ description: MemberDescription) {
    let order = orders[description.podID] ?? PodOrder()
    setMember(
      incarnation,
      Row(
        description: description.weighing(order.weight ?? description.weight), ownWeight: description.weight,
        state: order.state == .active ? .active : .cordoned, since: 0))
  }

  /// The members of this pod id change at once; what they have been members since stays.
  mutating func order(_ podID: String, _ change: (inout PodOrder) -> Void) -> Reply<Void> {
    guard meta != nil else { return Reply(value: (), wait: .zero) }
    begin()
    change(&orders[podID, default: PodOrder()])
    orderNumber += 1
    let order = orders[podID] ?? PodOrder()
    for (incarnation, row) in members where row.description.podID == podID {
      var next = row
      next.description = row.description.weighing(order.weight ?? row.ownWeight)
      if row.state == .active || row.state == .cordoned {
        next.state = order.state == .active ? .active : .cordoned
      }
      if next.description != row.description || next.state != row.state { setMember(incarnation, next) }
    }
    return conclude(())
  }
}

extension MemberDescription {
  fileprivate func weighing(_ weight: Int) -> MemberDescription {
    MemberDescription(podID: podID, endpoint: endpoint, peerEndpoint: peerEndpoint, weight: weight, zone: zone)
  }
}
