package import Placement

extension ViewStamp {
  package init(_ wire: Pushring_V1_ViewStamp) { self.init(version: wire.version, digest: wire.digest) }
}

extension Pushring_V1_ViewStamp {
  package init(_ stamp: ViewStamp) {
    self.init()
    version = stamp.version
    digest = stamp.digest
  }
}

extension WindowStamps {
  /// A window or a part of it that was not sent becomes `ViewStamp.none`.
  package init(_ wire: Pushring_V1_ViewWindow) {
    self.init(settled: ViewStamp(wire.settled), current: ViewStamp(wire.current))
  }
}

extension Pushring_V1_ViewWindow {
  package init(_ stamps: WindowStamps) {
    self.init()
    settled = Pushring_V1_ViewStamp(stamps.settled)
    current = Pushring_V1_ViewStamp(stamps.current)
  }
}

extension Pushring_V1_PodEndpoint {
  /// Where clients find this member.
  package init(_ member: MemberDescription) {
    self.init()
    podID = member.podID
    endpoint = member.endpoint
    zone = member.zone
  }
}
