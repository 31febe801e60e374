// Package recorder keeps the first bytes of every frame of a link in memory that
// was set aside at the start, the oldest giving way to the newest: the flight
// recorder. What a spike needs is cut out of it before it is overwritten. Frame
// bytes leave the rooms of capture only through here.
package recorder
