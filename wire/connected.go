package wire

import (
	"encoding/json"
	"time"
)

// Connected is what a server tells a client of its session.
type Connected struct {
	ID            uint64 // of the connect frame; zero where the link began by itself
	Session       string // the public id
	Secret        string // with it, whoever resumes the session
	Position      string // where the session stands
	Version       int    // of the protocol; zero is left out
	Limits        Limits
	Ping          time.Duration // the silence after which the server pings
	Subscriptions []Subscribed
}

// Limits are what the server takes.
type Limits struct {
	Message       int           // bytes of data
	Frame         int           // bytes of a frame
	Subscriptions int           // of one session
	Rate          int           // frames in a second; zero is no bound
	KeyWindow     time.Duration // how long a publication's key is remembered
	ResumeWindow  time.Duration // how long a session waits for its client to come back
}

// Subscribed is how one subscription of a session stands. With Err it does not.
type Subscribed struct {
	Channel  string // or pattern
	Position string // empty is left out
	Gap      bool   // publications are missing: those after the position that was asked for are not all kept
	Err      *Error
}

// AppendConnected appends the frame that begins or resumes a session.
func AppendConnected(dst []byte, c *Connected) []byte {
	dst = appendID(append(dst, `{"op":"connected"`...), c.ID)
	dst = AppendMember(dst, "session", c.Session)
	dst = AppendMember(dst, "secret", c.Secret)
	dst = AppendMember(dst, "position", c.Position)
	if c.Version != 0 {
		dst = AppendNumber(dst, "version", int64(c.Version))
	}
	dst = appendLimits(append(dst, `,"limits":`...), &c.Limits)
	dst = AppendNumber(dst, "ping", Millis(c.Ping))
	dst = append(dst, `,"subscriptions":[`...)
	for i := range c.Subscriptions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSubscribed(dst, &c.Subscriptions[i])
	}
	return append(dst, ']', '}')
}

func appendLimits(dst []byte, l *Limits) []byte {
	from := len(dst)
	dst = AppendNumber(dst, "message", int64(l.Message))
	dst[from] = '{' // for the comma
	dst = AppendNumber(dst, "frame", int64(l.Frame))
	dst = AppendNumber(dst, "subscriptions", int64(l.Subscriptions))
	dst = AppendNumber(dst, "rate", int64(l.Rate))
	dst = AppendNumber(dst, "keyWindow", Millis(l.KeyWindow))
	dst = AppendNumber(dst, "resumeWindow", Millis(l.ResumeWindow))
	return append(dst, '}')
}

func appendSubscribed(dst []byte, s *Subscribed) []byte {
	dst = AppendString(append(dst, `{"channel":`...), s.Channel)
	dst = appendSome(dst, "position", s.Position)
	if s.Gap {
		dst = AppendTrue(dst, "gap")
	}
	if s.Err != nil {
		from := len(dst) + len(`,"error":`)
		dst = appendError(append(dst, `,"error":`...), s.Err)
		dst[from] = '{' // for the comma
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// The ways back are for clients, which have time for encoding/json.

// UnmarshalJSON reads limits from a connected frame.
func (l *Limits) UnmarshalJSON(p []byte) error {
	var v struct {
		Message, Frame, Subscriptions, Rate int
		KeyWindow, ResumeWindow             millis
	}
	err := json.Unmarshal(p, &v)
	*l = Limits{v.Message, v.Frame, v.Subscriptions, v.Rate, time.Duration(v.KeyWindow), time.Duration(v.ResumeWindow)}
	return err
}

// UnmarshalJSON reads an entry of a connected frame's subscriptions.
func (s *Subscribed) UnmarshalJSON(p []byte) error {
	var v struct {
		Channel, Position string
		Gap               bool
		Error             *struct {
			Code    Code
			Message string
			Retry   millis
		}
	}
	err := json.Unmarshal(p, &v)
	*s = Subscribed{Channel: v.Channel, Position: v.Position, Gap: v.Gap}
	if e := v.Error; e != nil {
		s.Err = &Error{Code: e.Code, Message: e.Message, Retry: time.Duration(e.Retry)}
	}
	return err
}

// millis is a time that JSON has in milliseconds, with -1 for never.
type millis time.Duration

func (m *millis) UnmarshalJSON(p []byte) error {
	var n int64
	err := json.Unmarshal(p, &n)
	*m = millis(time.Duration(n) * time.Millisecond)
	return err
}
