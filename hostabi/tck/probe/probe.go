// Package probe is what the guests of the conformance kit try: every host function, with right and with wrong arguments.
// The guests differ only in how they wait. Natively it is empty: there is no host.
package probe
