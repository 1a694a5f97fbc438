package linktest_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"

	"github.com/longwire/longwire"
)

// A poster makes requests beside a stream, on connections that it keeps.
type poster struct {
	base         string
	link, secret string
	client       *http.Client
	ctx          context.Context
	cancel       context.CancelFunc
}

func newPoster(addr string, roots *x509.CertPool) *poster {
	p := &poster{base: "http://" + addr + target}
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dialTCP(addr) }}
	if roots != nil {
		p.base = "https://" + addr + target
		tr.TLSClientConfig = tlsConfig(roots)
	}
	p.client = &http.Client{Transport: tr}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// meet learns from a response how to name the link. A response that only
// tells of a refusal does not name one.
func (p *poster) meet(h http.Header) {
	p.link, p.secret = h.Get("Longwire-Link"), h.Get("Longwire-Secret")
}

func (p *poster) do(method, query, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(p.ctx, method, p.base+query, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Linktest", header)
	if p.secret != "" {
		req.Header.Set("Longwire-Secret", p.secret)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return p.client.Do(req)
}

func (p *poster) post(kind longwire.Kind, body []byte) error {
	contentType := "application/octet-stream"
	switch kind {
	case longwire.Text:
		contentType = "text/plain; charset=utf-8"
	case longwire.JSON:
		contentType = "application/json"
	}
	resp, err := p.do(http.MethodPost, "&link="+p.link, contentType, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return problem(resp)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (p *poster) close() {
	p.cancel()
	p.client.CloseIdleConnections()
}
