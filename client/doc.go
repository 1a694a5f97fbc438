// Package client is one session with a longwire server, over any way in: TCP,
// WebSocket, Server-Sent Events, NDJSON or long-polling (docs/protocol.md).
//
// A [Client] keeps its session through cuts: it connects again by itself, after
// a while that is another for each client, and resumes its subscriptions behind
// the last publication that was processed. What it cannot know it says: a
// publication without a key, or a call, that was under way when the connection
// was cut fails with [CodeOutcomeUnknown].
package client
