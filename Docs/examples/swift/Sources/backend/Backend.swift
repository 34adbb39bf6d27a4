// A backend with a Sender inside: it reads the cluster from Redis and calls the pods itself.
//
//     swift run backend redis://127.0.0.1:6379 my-cluster alice 'hello'
import Logging
import RedisClient
import RedisDirectory
import Sender

@main
struct Backend {
  static func main() async throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count == 4 else {
      print("usage: backend REDIS-URL CLUSTER USER MESSAGE")
      return
    }
    try await push(
      Push(user: arguments[2], text: arguments[3]), redis: try RedisConfiguration(url: arguments[0]),
      cluster: try ClusterName(arguments[1]))
  }

  static func push(_ push: Push, redis: RedisConfiguration, cluster: ClusterName) async throws {
    let logger = Logger(label: "backend")
    let client = RedisClient(configuration: redis, logger: logger)
    let directory = RedisDirectory(client: client, cluster: cluster, logger: logger)
    let follower = ViewFollower(directory: directory, configuration: redis, logger: logger)
    let sender = Sender(configuration: .init(), directory: directory, follower: follower, logger: logger)

    // These three run for as long as your backend does.
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await client.run() }
      group.addTask { await follower.run() }
      group.addTask { try await sender.run() }

      // Until a first view of the cluster is known, pushes fail with the code `unavailable`.
      for await _ in follower.windows() { break }

      let result = try await sender.push(push)
      print("\(result.completeness) by \(result.route): \(result.deliverRPCs) RPCs")
      for outcome in result.sessions { print(outcome.session, outcome.pod, outcome.outcome) }
      group.cancelAll()
    }
  }
}
