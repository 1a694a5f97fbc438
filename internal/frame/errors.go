package frame

// An Error says that the peer broke the protocol or a limit. The connection is to be closed with Code, and Reason
// fits into the Close frame. The values are shared; do not change them.
type Error struct {
	Code   uint16 // CloseProtocol, CloseInvalidData, CloseTooBig or CloseFragments
	Reason string // what was wrong, and what to do
}

func (e *Error) Error() string { return "frame: " + e.Reason }

// They are values and not made when needed, so that a peer which breaks the rules costs no memory.
var (
	errReserved        = &Error{CloseProtocol, "RSV2 or RSV3 set: use only extensions the handshake agreed on"}
	errRSV1            = &Error{CloseProtocol, "RSV1 set: only the first frame of a message may, and only with permessage-deflate agreed"}
	errOpcode          = &Error{CloseProtocol, "reserved opcode: send text, binary, continuation, close, ping or pong"}
	errControlFragment = &Error{CloseProtocol, "fragmented control frame: send it in one frame"}
	errControlLong     = &Error{CloseProtocol, "control frame over 125 bytes: send a shorter payload"}
	errLengthForm      = &Error{CloseProtocol, "payload length not in its shortest form"}
	errLengthHuge      = &Error{CloseProtocol, "payload length of 2^63 or more"}
	errUnmasked        = &Error{CloseProtocol, "unmasked frame from a client: mask every frame"}
	errMasked          = &Error{CloseProtocol, "masked frame from a server: do not mask"}
	errNoStart         = &Error{CloseProtocol, "continuation without a message: begin with text or binary"}
	errNotEnded        = &Error{CloseProtocol, "new message inside another: end the first with a final continuation"}
	errCloseShort      = &Error{CloseProtocol, "close payload of one byte: send two bytes of code, or none"}
	errCloseCode       = &Error{CloseProtocol, "close code that must not be sent: use 1000 or 3000 to 4999"}
	errCloseReason     = &Error{CloseInvalidData, "close reason is not UTF-8"}
	errText            = &Error{CloseInvalidData, "text is not UTF-8: send other bytes as binary"}
	errTooBig          = &Error{CloseTooBig, "message over the size limit: send smaller ones"}
	errFragments       = &Error{CloseFragments, "too many fragments for the size limit: send larger ones"}
)
