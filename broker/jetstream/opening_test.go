package jetstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// TestTLS: what the options say is what connections have.
func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1
	web.Close()
	out := startOutside(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
		o.TLSTimeout = 10
	})
	o := out.options()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	o.TLS = &tls.Config{RootCAs: roots}
	if p := say(t, open(t, &o), "x", "1"); p.Number != 1 {
		t.Errorf("%+v", p)
	}
	o.TLS = &tls.Config{}
	if _, err := Open(t.Context(), &o); err == nil || !strings.Contains(err.Error(), "do not agree about TLS") {
		t.Errorf("a certificate of nobody's: %v", err)
	}
}

// TestCredentials: a file with a user's JWT and key opens the account that it is of.
func TestCredentials(t *testing.T) {
	operator, account, user := key(t, nkeys.CreateOperator), key(t, nkeys.CreateAccount), key(t, nkeys.CreateUser)
	system := key(t, nkeys.CreateAccount) // JetStream wants one
	trusted := jwt.NewOperatorClaims(operator.id)
	a := jwt.NewAccountClaims(account.id)
	a.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: jwt.NoLimit, MemoryStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	out := startOutside(t, func(o *server.Options) {
		resolver := &server.MemAccResolver{}
		for id, c := range map[string]jwt.Claims{account.id: a, system.id: jwt.NewAccountClaims(system.id)} {
			if err := resolver.Store(id, signed(t, c, operator)); err != nil {
				t.Fatal(err)
			}
		}
		o.TrustedOperators, o.AccountResolver, o.SystemAccount = []*jwt.OperatorClaims{trusted}, resolver, system.id
	})
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file, err := jwt.FormatUserConfig(signed(t, jwt.NewUserClaims(user.id), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	o := out.options()
	if _, err := Open(t.Context(), &o); err == nil || !strings.Contains(err.Error(), "does not take these credentials") {
		t.Errorf("without credentials: %v", err)
	}
	o.Credentials = filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(o.Credentials, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if p := say(t, open(t, &o), "x", "1"); p.Number != 1 {
		t.Errorf("%+v", p)
	}
}

type keyPair struct {
	nkeys.KeyPair
	id string
}

func key(t *testing.T, create func() (nkeys.KeyPair, error)) keyPair {
	t.Helper()
	k, err := create()
	if err != nil {
		t.Fatal(err)
	}
	id, err := k.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{k, id}
}

func signed(t *testing.T, c jwt.Claims, by keyPair) string {
	t.Helper()
	s, err := c.Encode(by)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCannotOpen(t *testing.T) {
	plain := startOutside(t, nil)
	bare := startOutside(t, func(o *server.Options) { o.JetStream = false })
	guarded := startOutside(t, func(o *server.Options) {
		jet, none := server.NewAccount("jet"), server.NewAccount("none")
		o.Accounts = []*server.Account{jet, none}
		o.Users = []*server.User{{Username: "none", Password: "pw", Account: none}}
	})
	gone := startOutside(t, nil)
	gone.stop()
	user := strings.Replace(guarded.url(), "//", "//none:%s@", 1)
	foreign := plain.options()
	nc, err := nats.Connect(plain.url())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("$JS.API.STREAM.CREATE."+foreign.stream("default", 3), []byte(`{"name":"`+foreign.stream("default", 3)+`","subjects":["other"],"retention":"limits","storage":"memory","num_replicas":1,"max_consumers":-1,"max_msgs":-1,"max_bytes":-1}`), patience); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"unreachable", Options{URL: gone.url()}, "nobody answers there"},
		{"wrong password", Options{URL: fmt.Sprintf(user, "wrong")}, "does not take these credentials"},
		{"no credentials", Options{URL: guarded.url()}, "does not take these credentials"},
		{"no such file", Options{URL: plain.url(), Credentials: filepath.Join(t.TempDir(), "none.creds")}, "the credentials cannot be read"},
		{"no TLS", Options{URL: strings.Replace(plain.url(), "nats:", "tls:", 1)}, "do not agree about TLS"},
		{"no JetStream", Options{URL: bare.url()}, "no JetStream, or not for this account"},
		{"no JetStream for the account", Options{URL: fmt.Sprintf(user, "pw")}, "no JetStream, or not for this account"},
		{"foreign stream", foreign, foreign.stream("default", 3) + " that is not longwire's"},
		{"two places", Options{URL: plain.url(), Dir: t.TempDir()}, "name one of them"},
		{"too many replicas", Options{URL: plain.url(), Replicas: 3, prefix: "many"}, "replicas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Log = quiet
			b, err := Open(t.Context(), &c.o)
			if err == nil {
				_ = b.Close(t.Context())
				t.Fatal("it opens")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), ":wrong@") {
				t.Errorf("the error is %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestAtLeast(t *testing.T) {
	for v, want := range map[string]bool{"2.10.29": false, "2.11.0": true, "2.12.6-RC.1": true, "3.0.0": true, "1.99": false, "": false, "v2.11.3": true} {
		if atLeast(v, leastServer) != want {
			t.Errorf("version %q: %t", v, !want)
		}
	}
}
