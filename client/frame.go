package client

import (
	"encoding/json"

	"github.com/longwire/longwire/wire"
)

// A serverFrame is what came from the server. It is valid until the next is read.
type serverFrame struct {
	wire.ServerFrame

	Publications []json.RawMessage `json:"publications"` // of a reply to history

	raw []byte
}

func parseFrame(p []byte) (*serverFrame, error) {
	f := &serverFrame{raw: p}
	if err := json.Unmarshal(p, f); err != nil {
		return nil, wire.Errorf(wire.CodeBadFrame, "the server sent what is no frame: %v", err)
	}
	return f, nil
}

// data returns the data of a frame.
func (f *serverFrame) data() (Data, error) {
	t, contentType, p, err := f.Value()
	return Data{Type: t, ContentType: contentType, Bytes: p}, err
}
