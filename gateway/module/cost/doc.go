// Package cost measures what modules cost the process that runs them: spare instances, metering, and how long a guest keeps
// everything else waiting. It is for benchmarks; it loads modules in ways that no configuration offers.
package cost
