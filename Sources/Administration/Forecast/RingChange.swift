internal import HashRing
public import Placement

/// What would be changed about a ring.
public struct RingChange: Sendable, Hashable {
  /// "pod-3", or "pod-3=2": joins, or is brought back, with weight 2.
  public struct Pod: Sendable, Hashable {
    public let id: String
    /// Nil: 1, or what it has now.
    public let weight: Int?

    public init(id: String, weight: Int? = nil) {
      self.id = id
      self.weight = weight
    }
  }

  public var added: [Pod]
  public var removed: [String]
  public var reweighted: [Pod]

  public init(added: [Pod] = [], removed: [String] = [], reweighted: [Pod] = []) {
    self.added = added
    self.removed = removed
    self.reweighted = reweighted
  }

  public var isEmpty: Bool { added.isEmpty && removed.isEmpty && reweighted.isEmpty }

  /// In words.
  public var lines: [String] {
    added.map { "add \($0.id)" + ($0.weight.map { " with weight \($0)" } ?? "") } + removed.map { "remove \($0)" }
      + reweighted.map { "weight of \($0.id) \($0.weight ?? 1)" }
  }

  /// The weights by pod id of the ring that the view would have.
  public func applied(to view: View) throws(RingChangeError) -> [String: Int] {
    var weights = Dictionary(uniqueKeysWithValues: view.ring.members.map { ($0.id, $0.weight) })
    for id in removed {
      guard weights.removeValue(forKey: id) != nil else { throw RingChangeError(id, "is not in the ring", view) }
    }
    for pod in added {
      guard weights[pod.id] == nil else {
        throw RingChangeError(message: "\(pod.id) is in the ring already; --weight \(pod.id)=W changes its part")
      }
      // One that is out of the ring by an operator's word comes back with the weight that it has.
      let known = view.members.last { $0.podID == pod.id }?.description.weight
      weights[pod.id] = pod.weight ?? known ?? 1
    }
    for pod in reweighted {
      guard weights[pod.id] != nil else { throw RingChangeError(pod.id, "is not in the ring", view) }
      weights[pod.id] = pod.weight ?? 1
    }
    guard !weights.isEmpty else { throw RingChangeError(message: "nobody would be left in the ring") }
    return weights
  }
}

/// What can't be changed so.
public struct RingChangeError: Error, Hashable, Sendable, CustomStringConvertible {
  public let message: String

  public var description: String { message }

  init(message: String) { self.message = message }

  fileprivate init(_ id: String, _ what: String, _ view: View) {
    message = "\(id) \(what), which has \(view.ring.members.map(\.id).joined(separator: ", "))"
  }
}
