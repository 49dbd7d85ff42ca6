package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/transfer"
)

// served is an account base behind the admin endpoint of a running server.
type served struct {
	address string
	cfg     authcore.ImportConfig
}

func (s *served) ask(method, path string, body io.Reader) (*http.Response, error) {
	// A connection of AdminAPIRequest is not used again.
	response, err := caddycmd.AdminAPIRequest(s.address, method, "/qqauth"+path, http.Header{"Connection": {"close"}}, body)
	if err != nil {
		return nil, fmt.Errorf("through the running server at %s (else stop it): %w", s.address, err)
	}
	return response, nil
}

func (s *served) export(ctx context.Context, after authcore.Record, final bool, keys func([]byte) error, take func(authcore.Record) error) error {
	query := url.Values{"after": {transfer.Position(after)}}
	if final {
		query.Set("final", "true")
	}
	response, err := s.ask(http.MethodGet, "/export?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	reader, err := transfer.NewReader(response.Body)
	if err != nil {
		return fmt.Errorf("read what the server sends: %w", err)
	}
	for {
		line, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what the server sends: %w", err)
		}
		if line.Keys != nil {
			err = keys(line.Keys)
		} else {
			err = take(line.Record)
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
}

func (s *served) begin(ctx context.Context, cfg authcore.ImportConfig) (authcore.ImportedKeys, error) {
	s.cfg = cfg
	report, err := s.take(ctx, nil)
	return report.Keys, err
}

// take sends the records as a part of the import, with the keys.
func (s *served) take(ctx context.Context, records []authcore.Record) (report importReport, err error) {
	if err := ctx.Err(); err != nil {
		return report, err
	}
	var body bytes.Buffer
	out := transfer.NewWriter(&body)
	err = out.Header(transfer.Header{Created: time.Now()})
	if s.cfg.Keys != nil {
		err = errors.Join(err, out.Keys(s.cfg.Keys))
	}
	for _, r := range records {
		err = errors.Join(err, out.Record(r))
	}
	if err != nil {
		return report, err
	}
	query := ""
	if s.cfg.DryRun {
		query = "?dry_run=true"
	}
	response, err := s.ask(http.MethodPost, "/import"+query, &body)
	if err != nil {
		return report, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&report); err != nil {
		return report, fmt.Errorf("read the server's report: %w", err)
	}
	return report, nil
}

func (s *served) freeze(_ context.Context, frozen bool) error {
	path := "/reopen"
	if frozen {
		path = "/freeze"
	}
	response, err := s.ask(http.MethodPost, path, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (s *served) close() error { return nil }

var _ accounts = (*served)(nil)
