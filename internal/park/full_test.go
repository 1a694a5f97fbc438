package park

import (
	"io"
	"log/slog"
	"syscall"
)

const errEMFILE = syscall.EMFILE

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
