// Command spiketop shows the flows of each bond member beside a running ping
// and keeps the evidence of the moment when the ping spikes.
package main

func main() {}
