"""What the chart's tests are made of: Helm, what it renders, Kubernetes' schemas, and a kubelet for loopback.

The processes, clients and waiting are those of Tests/EndToEnd/harness."""
