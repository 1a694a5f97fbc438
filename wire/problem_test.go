package wire

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestWriteProblem(t *testing.T) {
	for _, tt := range []struct {
		name       string
		status     int
		err        *Error
		wantStatus int
		wantBody   string
		wantRetry  string
	}{
		{
			"as the code says", 0, Errorf(CodeTooLarge, "%d bytes are \"too\" many", 7), 413,
			`{"code":"too_large","title":"Request Entity Too Large","status":413,"detail":"7 bytes are \"too\" many"}`, "",
		},
		{
			"another status, the code's own text, a while to wait", 426, &Error{Code: CodeBadUpgrade, Retry: 1500 * time.Millisecond}, 426,
			`{"code":"bad_upgrade","title":"Upgrade Required","status":426,"detail":"not a valid WebSocket handshake; see RFC 6455 section 4.1"}`, "2",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			WriteProblem(w, tt.status, tt.err)
			if got := w.Body.String(); got != tt.wantBody+"\n" {
				t.Errorf("body %s, want %s", got, tt.wantBody)
			}
			if w.Code != tt.wantStatus || w.Header().Get("Retry-After") != tt.wantRetry {
				t.Errorf("status %d, Retry-After %q; want %d, %q", w.Code, w.Header().Get("Retry-After"), tt.wantStatus, tt.wantRetry)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}
