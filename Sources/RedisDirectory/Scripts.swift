internal import RedisClient

/// The Lua scripts, embedded from `Scripts/`. Each file opens with its keys, arguments, replies and reasons.
enum Scripts {
  static let join = membership("join", PackageResources.join_lua)
  static let renew = membership("renew", PackageResources.renew_lua)
  static let resume = membership("resume", PackageResources.resume_lua)
  static let acknowledge = membership("acknowledge", PackageResources.acknowledge_lua)
  static let drain = membership("drain", PackageResources.drain_lua)
  static let leave = membership("leave", PackageResources.leave_lua)
  static let gone = membership("gone", PackageResources.gone_lua)
  static let window = membership("window", PackageResources.window_lua)
  static let status = membership("status", PackageResources.status_lua)

  static let order = membership("order", PackageResources.order_lua)
  static let rebalance = membership("rebalance", PackageResources.rebalance_lua)

  static let register = script("register", PackageResources.register_lua)
  static let restore = script("restore", PackageResources.restore_lua)
  static let unregister = script("unregister", PackageResources.unregister_lua)
  static let takeover = script("takeover", PackageResources.takeover_lua)

  /// Membership scripts share the prelude `membership.lua`: the registry clock, leases, publishing.
  private static func membership(_ name: String, _ source: [UInt8]) -> RedisScript {
    script(name, PackageResources.membership_lua + source)
  }

  private static func script(_ name: String, _ source: [UInt8]) -> RedisScript {
    RedisScript(name: name, source: String(decoding: source, as: UTF8.self))
  }
}
