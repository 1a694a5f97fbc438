package client

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/longwire/longwire/wire"
)

// Talking back by POST (docs/protocol.md, section 5.4.2), where the server's frames come down
// another response. Frames are numbered per session, so one POST whose
// answer was lost is simply sent again, and the server drops what it has. There
// is one at a time; frames that come meanwhile share the next.
//
// When it is given up nobody knows whether the numbers were used. A session of which that is so is not
// resumed: a new one begins, with the positions of the old.
type posts struct {
	session string
	next    uint64 // the number of the next frame
	unsure  bool   // whether it is that
}

// begin hears which session a link carries.
func (p *posts) begin(session string) {
	if p.session != session {
		*p = posts{session: session, next: 1}
	}
}

// mayResume returns what stands against resuming a session.
func (p *posts) mayResume(session string) error {
	if session != "" && session == p.session && p.unsure {
		return &wire.Error{Code: wire.CodeSessionMoved, Message: "a POST to the session was cut; a new one begins"}
	}
	return nil
}

// An upstream is how one link talks back.
type upstream struct {
	way    *httpWay
	secret string
	life   context.Context // of the link
}

// How often a POST is tried, and how long it may take.
const (
	postTries   = 5
	postTime    = 30 * time.Second
	postBackoff = 250 * time.Millisecond // doubled with each try
)

func (u *upstream) send(frames [][]byte) error {
	if len(frames) == 0 {
		return nil
	}
	p := &u.way.posts
	body := appendLines(nil, frames)
	for try := 0; ; try++ {
		err := u.post(body)
		if err == nil {
			p.next += uint64(len(frames))
			return nil
		}
		wait, again := postAgain(err, try)
		if !again || !sleep(u.life, wait) {
			_, told := errors.AsType[*wire.Error](err)
			p.unsure = !told
			return err
		}
	}
}

// postAgain says whether a POST is worth another try, and when. A server that is
// behind with what it was sent is waited for as long as the link lives.
func postAgain(err error, try int) (wait time.Duration, again bool) {
	wait = postBackoff<<min(try, postTries) + rand.N(postBackoff)
	e, told := errors.AsType[*wire.Error](err)
	switch {
	case !told:
		return wait, try+1 < postTries
	case e.Code == wire.CodeRateLimited:
		return max(wait, e.Retry), true
	case e.Code == wire.CodeUnavailable, e.Code == wire.CodeOverloaded:
		return max(wait, e.Retry), try+1 < postTries
	}
	return 0, false
}

// sleep waits, and reports whether ctx is still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (u *upstream) post(body []byte) error {
	ctx, cancel := context.WithTimeout(u.life, postTime)
	defer cancel()
	p := &u.way.posts
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.way.addr.connectURL(p.session), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Longwire-Secret", u.secret)
	req.Header.Set("Longwire-Seq", strconv.FormatUint(p.next, 10))
	// For net/http alone, which sends it again by itself then if a connection that was
	// kept turns out to be closed; without a value it is not sent.
	req.Header["Idempotency-Key"] = nil
	resp, err := u.way.http.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return refusal(resp)
	}
	return resp.Body.Close()
}
