// Deadlock is a synchronous guest in Go whose every request waits for what nobody does.
package main

func main() {}
