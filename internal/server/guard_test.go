package server

import (
	"net/http"
	"strings"
	"testing"
)

// Which pages may use it depends on where it listens and on --allow-origin.
func TestOrigins(t *testing.T) {
	const local, listed, other = "http://localhost:3000", "https://a.example", "https://evil.example"
	for _, tt := range []struct {
		name  string
		o     Options
		pages map[string]int
	}{
		{"on loopback", Options{}, map[string]int{local: 200, other: 403, "null": 403}},
		{"with a list", Options{AllowOrigin: []string{listed}}, map[string]int{local: 403, listed: 200, other: 403}},
		{"for any", Options{AllowOrigin: []string{"*"}}, map[string]int{local: 200, other: 200, "null": 200}},
		{"wider", Options{HTTP: "0.0.0.0:0", Insecure: true}, map[string]int{local: 403, other: 403}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.o.HTTP == "" {
				tt.o.HTTP = "127.0.0.1:0"
			}
			r := start(t, &tt.o)
			tt.pages[r.HTTPURL()] = 200
			for page, want := range tt.pages {
				if status, _, _ := r.do("POST", "/channels/news", "x", "Origin", page); status != want {
					t.Errorf("%s: %d, want %d", page, status, want)
				}
			}
		})
	}
}

func TestCORS(t *testing.T) {
	r := start(t, nil)
	const page = "http://localhost:3000"
	_, h, _ := r.do("GET", "/channels/news?wait=0", "", "Origin", page)
	if h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Longwire-Position") {
		t.Errorf("reading: %v", h)
	}
	status, h, _ := r.do("OPTIONS", "/channels/news", "", "Origin", page, "Access-Control-Request-Method", "POST")
	if status != 204 || h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") {
		t.Errorf("asking first: %d %v", status, h)
	}
	status, h, _ = r.do("GET", "/channels/news?wait=0", "", "Origin", "https://evil.example")
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
