package server

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	for _, tt := range []struct {
		name, allow, origin, host string
		tls, want                 bool
	}{
		{"no page", "", "", "127.0.0.1:8080", false, true},
		{"own", "", "http://127.0.0.1:8080", "127.0.0.1:8080", false, true},
		{"own, TLS before us", "", "https://chat.example", "chat.example", false, true},
		{"own, default port", "", "http://chat.example", "chat.example:80", false, true},
		{"own, over TLS", "", "https://chat.example", "CHAT.example:443", true, true},
		{"own, but plain", "", "http://chat.example:443", "chat.example:443", true, false},
		{"other port of localhost", "", "http://localhost:3000", "127.0.0.1:8080", false, true},
		{"other port of ::1", "", "http://[::1]:3000", "127.0.0.1:8080", false, true},
		{"localhost with a list", "https://a.example", "http://localhost:3000", "127.0.0.1:8080", false, false},
		{"like localhost", "", "http://localhost.evil.example", "127.0.0.1:8080", false, false},
		{"foreign", "", "https://evil.example", "127.0.0.1:8080", false, false},
		{"null", "", "null", "127.0.0.1:8080", false, false},
		{"null allowed", "null", "null", "127.0.0.1:8080", false, true},
		{"nonsense", "", "://", "127.0.0.1:8080", false, false},
		{"any", "*", "https://evil.example", "h", false, true},
		{"listed", "https://a.example", "https://A.example", "h", false, true},
		{"listed with its port", "https://a.example:443", "https://a.example", "h", false, true},
		{"listed, other scheme", "https://a.example", "http://a.example", "h", false, false},
		{"listed, other port", "https://a.example", "https://a.example:444", "h", false, false},
		{"any port", "http://a.example:*", "http://a.example:444", "h", false, true},
		{"subdomain", "https://*.a.example", "https://x.y.a.example", "h", false, true},
		{"not a subdomain", "https://*.a.example", "https://a.example", "h", false, false},
		{"only like a subdomain", "https://*.a.example", "https://xa.example", "h", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var list []string
			if tt.allow != "" {
				list = []string{tt.allow}
			}
			l, err := (&Options{AllowOrigin: list}).origins(true)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("POST", "/", nil)
			r.Host = tt.host
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			if got := l.Allows(r); got != tt.want {
				t.Errorf("%t, want %t", got, tt.want)
			}
		})
	}
	l, _ := new(Options).origins(false)
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Origin", "http://localhost:3000")
	if l.Allows(r) {
		t.Error("a page of localhost may use a server that is not on loopback only")
	}
	r.Header.Add("Origin", "http://"+r.Host)
	if l.Allows(r) {
		t.Error("two origins")
	}
}

func TestCORS(t *testing.T) {
	r := start(t, nil)
	const page = "http://localhost:3000"
	_, h, _ := r.do("GET", "/channels/news?wait=0s", "", "Origin", page)
	if h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Longwire-Position") {
		t.Errorf("reading: %v", h)
	}
	status, h, _ := r.do("OPTIONS", "/channels/news", "", "Origin", page, "Access-Control-Request-Method", "POST")
	if status != 204 || h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") {
		t.Errorf("asking first: %d %v", status, h)
	}
	status, h, _ = r.do("GET", "/channels/news?wait=0s", "", "Origin", "https://evil.example")
	if status != 200 || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") == "" {
		t.Errorf("a foreign page: %d %v; it may ask, but not see", status, h)
	}
}

func TestMethods(t *testing.T) {
	r := start(t, nil)
	for _, path := range []string{"/", "/style.css", "/channels/news", "/healthz", "/readyz"} {
		status, h, body := r.do("HEAD", path, "")
		if status != 200 || len(body) > 0 || h.Get("Content-Type") == "" {
			t.Errorf("HEAD %s: %d %v", path, status, h)
		}
		if status, h, _ := r.do("OPTIONS", path, ""); status != 204 || !strings.Contains(h.Get("Allow"), "GET, HEAD") {
			t.Errorf("OPTIONS %s: %d %v", path, status, h)
		}
	}
	r.subscribers("news", 0)
}

func TestHosts(t *testing.T) {
	r := start(t, nil)
	for _, host := range []string{"localhost", "LOCALHOST:1", "127.0.0.1:9", "127.0.0.2", "[::1]:8080", "[::1]"} {
		if status, _, _ := r.do("GET", "/healthz", "", "Host", host); status != http.StatusOK {
			t.Errorf("host %s: %d", host, status)
		}
	}
	wide := start(t, &Options{HTTP: "0.0.0.0:0", Insecure: true})
	if status, _, _ := wide.do("GET", "/healthz", "", "Host", "chat.example"); status != http.StatusOK {
		t.Errorf("listening wider: %d", status)
	}
	if !strings.Contains(wide.log.String(), "INSECURE") {
		t.Error("the log does not shout")
	}
}

// The page loads nothing from elsewhere and runs nothing that is not a file.
func TestPage(t *testing.T) {
	r := start(t, nil)
	_, h, page := r.do("GET", "/", "")
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP %q", csp)
	}
	for _, file := range []string{"/app.js", "/style.css"} {
		if !strings.Contains(string(page), `"`+file+`"`) {
			t.Errorf("the page does not load %s", file)
		}
		if status, _, body := r.do("GET", file, ""); status != 200 || len(body) == 0 {
			t.Errorf("%s: %d", file, status)
		}
	}
	for _, bad := range []string{" style=", " onclick=", "<script>", "https://", `src="//`} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}
