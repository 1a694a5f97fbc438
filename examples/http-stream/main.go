// Command http-stream streams "hello world" lines to whoever asks for
// http://127.0.0.1:8080/, until the client leaves, or N of them for /?lines=N.
package main

import (
	"context"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
)

func greet(c *longwire.Conn) error {
	lines, err := strconv.Atoi(strings.TrimPrefix(c.Info().Target, "/?lines="))
	for i := 0; err != nil || i < lines; i++ {
		if c.SendWait(context.Background(), longwire.Text, []byte("hello world")) != nil {
			return nil // the client has left
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.Close("normal", "") // the connection goes on with the client's next request
	return nil
}

func main() {
	hello := &stream.Handler{Acceptor: &longwire.Plain{Open: greet}, Encoders: []*stream.Encoder{stream.Lines}}
	http.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", "GET")
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
			return
		}
		hello.ServeHTTP(w, r)
	})
	log.Fatal(longwire.ListenAndServe("127.0.0.1:8080", nil))
}
