package longwire

// A Call is a request of a session that waits for its answer.
type Call struct {
	Method string // 1 to 128 bytes
	Kind   Kind
	Data   []byte // the handler's to keep

	session *Session
	id      uint64
}
