// Command embed is a net/http program like any other that has longwire below one
// of its routes. It counts votes for tea and coffee; who listens sees the count
// move, and may vote by a call.
//
//	curl -N 'http://127.0.0.1:8080/live/connect?channel=votes&since=last:1'
//	curl -X POST http://127.0.0.1:8080/votes/tea
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

type votes struct {
	mu          sync.Mutex
	tea, coffee int
}

func (v *votes) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprintf(`{"tea":%d,"coffee":%d}`, v.tea, v.coffee)
}

func (v *votes) add(what string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch what {
	case "tea":
		v.tea++
	case "coffee":
		v.coffee++
	default:
		return false
	}
	return true
}

func (v *votes) post(w http.ResponseWriter, r *http.Request) {
	if !v.add(r.PathValue("what")) {
		http.NotFound(w, r)
		return
	}
	fmt.Fprintln(w, v)
}

// call answers {"op":"call","id":1,"method":"vote","data":"tea"} with the count.
func (v *votes) call(_ *longwire.Session, c *longwire.Call) {
	var what string
	err := json.Unmarshal(c.Data, &what)
	if err != nil || c.Method != "vote" || !v.add(what) {
		err = c.Fail(wire.Errorf(wire.CodeBadRequest, `call vote with "tea" or "coffee"`))
	} else {
		err = c.Reply(longwire.JSON, []byte(v.String()))
	}
	if err != nil {
		log.Print(err)
	}
}

// publish tells who listens of the count, at most once a second.
func (v *votes) publish(ctx context.Context, node *longwire.Node) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for told := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if count := v.String(); count != told {
			_, err := node.Publish(ctx, "votes", []byte(count), &longwire.PublishOptions{Kind: longwire.JSON})
			if err != nil {
				log.Print(err) // and again with the next tick
				continue
			}
			told = count
		}
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	v := &votes{}
	node, err := longwire.New(&longwire.Options{Handler: longwire.Handler{Call: v.call}})
	if err != nil {
		log.Fatal(err)
	}
	go v.publish(ctx, node)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /votes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, v) })
	mux.HandleFunc("POST /votes/{what}", v.post)
	mux.Handle("/live/", http.StripPrefix("/live", node.Handler(ws.Way, stream.Way)))

	srv := &http.Server{Handler: mux}
	ln, err := longwire.Listen(ctx, "127.0.0.1:8080") // with net.Listen who listens would cost a goroutine each
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Print(srv.Serve(ln)) }()

	<-ctx.Done()
	wait, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// First who listens is sent away, each with a time of its own to come back at.
	if err := errors.Join(node.Drain(wait), srv.Shutdown(wait), node.Close(wait)); err != nil {
		log.Print(err)
	}
}
