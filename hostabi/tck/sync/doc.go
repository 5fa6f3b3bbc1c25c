// The sync guest of the conformance kit: see package probe for what it tries. It is made of WebAssembly alone.
package main
