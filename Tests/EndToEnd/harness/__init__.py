"""What the end-to-end tests are made of: processes, a cluster of them, and clients.

Everything here is real: the built program, a private redis-server, gRPC over loopback. Rules: free ports, a temporary
directory for each cluster, processes stopped by pid (by the kernel too, should the test run be killed), and every
wait bounded by `eventually`.
"""
