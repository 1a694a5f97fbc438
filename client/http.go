package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/longwire/longwire/wire"
)

// httpWay is what all ways over HTTP share: the connections, and where to.
type httpWay struct {
	addr  *address
	http  *http.Client
	posts posts // of the session; not for the WebSocket
}

// newHTTPWay speaks HTTP/1.1 only: the server can put its connections to sleep,
// and those of HTTP/2 it cannot.
func newHTTPWay(a *address, tlsConfig *tls.Config) httpWay {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: wire.HandshakeTimeout,
		DisableCompression:  true, // what compresses a stream holds it back
		MaxIdleConnsPerHost: 2,    // one to read by, one to talk back
		IdleConnTimeout:     time.Minute,
		Protocols:           new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return httpWay{addr: a, http: &http.Client{
		Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the secret is for one server
		},
	}}
}

func (w *httpWay) close() { w.http.CloseIdleConnections() }

// do sends the first request of a link, whose context is the link's own. Until
// the header of the response has come it ends with ctx, too.
func (w *httpWay) do(ctx context.Context, req *http.Request, cancel context.CancelFunc) (*http.Response, error) {
	stop := context.AfterFunc(ctx, cancel)
	resp, err := w.http.Do(req)
	if !stop() && err == nil {
		resp.Body.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return resp, nil
}

// refusal returns the error that a response tells, and closes its body.
func refusal(resp *http.Response) error {
	defer resp.Body.Close()
	e := &wire.Error{Retry: retryAfter(resp.Header)}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media == "application/problem+json" {
		var problem struct {
			Code   wire.Code `json:"code"`
			Detail string    `json:"detail"`
		}
		err := json.NewDecoder(io.LimitReader(resp.Body, 16<<10)).Decode(&problem)
		if err == nil && problem.Code != "" {
			e.Code, e.Message = problem.Code, problem.Detail
			return e
		}
	}
	e.Code = codeOfStatus(resp.StatusCode)
	e.Message = "the server answered " + resp.Status + ", and not as longwire does; check the address"
	return e
}

// codeOfStatus is for answers that are not longwire's, such as a proxy's.
func codeOfStatus(status int) wire.Code {
	switch {
	case status == http.StatusTooManyRequests:
		return wire.CodeRateLimited
	case status >= 500 || status == http.StatusRequestTimeout:
		return wire.CodeUnavailable
	case status == http.StatusUnauthorized:
		return wire.CodeUnauthorized
	case status == http.StatusForbidden:
		return wire.CodeForbidden
	case status == http.StatusNotFound:
		return wire.CodeNotFound
	}
	return wire.CodeBadRequest
}

// retryAfter reads seconds; the other form of the header, a date, is not used here.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
