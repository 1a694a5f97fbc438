package wire

import (
	"errors"
	"fmt"
	"time"
)

// An Error is a refusal or an end as it crosses the wire: the code for programs, the message for people.
type Error struct {
	Code    Code
	Message string        // empty: the code's own message
	Retry   time.Duration // how long to wait before trying again; zero: as the code says, negative: never
}

// Errorf returns an Error with a message of its own. The message says what to do; it is shown to the peer,
// so it holds no secret and no position.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// Error returns "longwire: ", the code and the message.
func (e *Error) Error() string { return "longwire: " + string(e.Code) + ": " + e.Text() }

// Text returns the message alone: the Error's own, or the code's.
func (e *Error) Text() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Code.Info().Message
}

// Retryable reports whether to try again: as the Error says, or else as its code does.
func (e *Error) Retryable() bool {
	if e.Retry != 0 {
		return e.Retry > 0
	}
	return e.Code.Retryable()
}

// Is makes errors.Is compare by code: errors.Is(err, &Error{Code: CodeTooLarge}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of the first [Error] in err's tree, [CodeInternal] for any other error, and
// an empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
