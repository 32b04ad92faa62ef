"""Real services for tests: a broker, a tracing backend, a receiver of spans, a proxy that fails on request."""
