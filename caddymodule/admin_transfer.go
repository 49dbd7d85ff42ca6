package caddymodule

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/transfer"
)

// maxImportBody bounds the part of an import that one request brings.
const maxImportBody = 8 << 20

// routeTransfers adds what `caddy qqauth export`, `import` and `reopen` call
// while this process holds the store.
func (a *AdminAPI) routeTransfers(mux *http.ServeMux) {
	for pattern, serve := range map[string]nodeCall{
		"GET /qqauth/export":  a.export,
		"POST /qqauth/import": a.importPart,
		"POST /qqauth/freeze": a.freeze(true),
		"POST /qqauth/reopen": a.freeze(false),
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			// Caddy's admin endpoint gives a request 10 s, after which it counts as
			// hung up. Where that cannot be lifted it ends early, which is noticed.
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
			r.Body = http.MaxBytesReader(w, r.Body, maxImportBody)
			a.onNode(serve)(w, r)
		})
	}
}

// export streams the account base, or what of it lies behind `after`. An answer
// without its last line is incomplete.
func (a *AdminAPI) export(r *http.Request, app *App, now *running) (any, error) {
	query := r.URL.Query()
	after, err := transfer.ParsePosition(query.Get("after"))
	if err != nil {
		return nil, adminRequest("after: " + err.Error())
	}
	final := query.Get("final") == "true"
	if final && !now.node.Frozen() {
		return nil, authcore.ErrNotFrozen
	}
	return adminStream(func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/jsonl")
		if err := stream(r, w, now.node, after, final); err != nil {
			app.log.Error("export ended early", zap.Error(err))
			panic(http.ErrAbortHandler) // too late for a status
		}
		if after == (authcore.Record{}) {
			app.auditLog.Info("export", zap.Bool("final", final))
		}
	}), nil
}

func stream(r *http.Request, w io.Writer, node *authcore.Node, after authcore.Record, final bool) error {
	buffer := bufio.NewWriterSize(w, 64<<10)
	out := transfer.NewWriter(buffer)
	if err := out.Header(transfer.Header{Created: time.Now(), Final: final}); err != nil {
		return err
	}
	if after == (authcore.Record{}) {
		ring, err := node.WrappedRing(r.Context())
		if err == nil {
			err = out.Keys(ring)
		}
		if err != nil {
			return err
		}
	}
	if err := node.Export(r.Context(), after, final, out.Record); err != nil {
		return err
	}
	return errors.Join(out.End(), buffer.Flush())
}

// importPart takes a part of an import: a file without its last line. Each part
// brings the keys, because nothing is remembered from one to the next.
func (a *AdminAPI) importPart(r *http.Request, app *App, now *running) (any, error) {
	keys, records, err := readPart(r.Body)
	if err != nil {
		return nil, adminRequest(err.Error())
	}
	dry := r.URL.Query().Get("dry_run") == "true"
	i, err := now.node.NewImport(r.Context(), authcore.ImportConfig{Keys: keys, DryRun: dry})
	if err != nil {
		return nil, err
	}
	taken, err := i.Take(r.Context(), records)
	report := reportOf(i, taken)
	if !dry && len(records) > 0 {
		report.audit(app.auditLog)
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

func readPart(body io.Reader) (keys []byte, records []authcore.Record, err error) {
	reader, err := transfer.NewReader(body)
	if err != nil {
		return nil, nil, err
	}
	for {
		line, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, transfer.ErrIncomplete) && !errors.Is(err, transfer.ErrCut):
			return keys, records, nil
		case err != nil:
			return nil, nil, err
		case line.Keys != nil:
			keys = line.Keys
		default:
			records = append(records, line.Record)
		}
	}
}

// freeze closes the store for writing or opens it again.
func (a *AdminAPI) freeze(frozen bool) nodeCall {
	return func(r *http.Request, app *App, now *running) (any, error) {
		if err := now.node.Freeze(r.Context(), frozen); err != nil {
			return nil, err
		}
		auditFreeze(app.auditLog, frozen)
		return nil, nil
	}
}

func auditFreeze(log *zap.Logger, frozen bool) {
	name := "store_reopened"
	if frozen {
		name = "store_frozen"
	}
	log.Info(name)
}
