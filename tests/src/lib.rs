//! End-to-end and fault tests on a real nats-server, benchmarks, and the tidy test.
