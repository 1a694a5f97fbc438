// Package jetstream is the broker that keeps what is published: in JetStream, of a NATS
// server inside the process with files in a directory ([Options].Dir), or of a
// cluster ([Options].URL). docs/design.md, section 8 says how.
//
// Each partition of each retention class is one stream, named LW-CLASS-PARTITION; the
// numbers of publications are the stream's. A publication is told to followers when
// the stream has acknowledged it, in the order of the numbers; with a cluster when a consumer
// brings it, because other nodes publish, too.
//
// With a server inside what is acknowledged survives the end of the process, however it ends. It is in the
// operating system's hands then, and on the disk after at most [Options].Sync: so the
// loss of power may take what was acknowledged within that time. Positions given out
// for it are followed by a gap then, because the broker begins another epoch after
// every end that was not in order.
//
// A cluster keeps what it acknowledges as its own configuration says. If it comes back with less, the
// nodes that were told more begin another epoch.
package jetstream
