package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "qqauth",
		Usage: "export|import|reopen",
		Short: "Moves the accounts of qqauth between stores",
		Long: `
Moves users, links, segments, keys and, at the end, sessions from one store of
qqauth to another, or takes in a list of another system.

The configuration says which store it is. A store that a running server holds for
itself is reached through that server's admin endpoint, which needs admin_api in
the qqauth block; any other is opened by the command. Run it as the user that
runs Caddy, with the same environment.
`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.AddCommand(exportCommand(), importCommand(), reopenCommand())
		},
	})
}

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export --output <file> [--final [--yes]] [--resume] [--json]",
		Short: "Writes the account base to a file",
		Long: `
Writes users, links, segments and keys to a new file in JSON Lines, mode 0600. The
file is personal data; its keys are of use only with the same secret_key.

--final first closes the store for writing, durably and on every node: logins,
log-outs and every other change answer 503 from then on, while guards go on. Only
such a file carries sessions. "caddy qqauth reopen" opens the store again.

An export that was interrupted leaves <file>.partial, with which --resume goes on.
`,
		Args: cobra.NoArgs,
	}
	commonFlags(cmd)
	cmd.Flags().StringP("output", "o", "", "File to write (required)")
	cmd.Flags().Bool("final", false, "Close the store for writing and carry its sessions")
	cmd.Flags().Bool("yes", false, "Do not ask before closing the store")
	cmd.Flags().Bool("resume", false, "Go on with <file>.partial")
	cmd.RunE = untilInterrupted(runExport)
	return cmd
}

func importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import <file> [--format jsonl|csv|openids] [--app <app_id>] [--dry-run] [--without-keys] [--json]",
		Short: "Takes an account base or a list of accounts in",
		Long: `
Takes an export of qqauth in, or a list of another system. A list adds the users
and links that are new and changes none that exist. An export may be imported
twice; an import that was interrupted goes on when it is started again.

Keys are taken only if secret_key, current or previous, is that of the store that
they come from. Import into a new store before anybody logs in to it.

CSV: the first row names the columns, of app_id, open_id (required), unionid,
display_name, mobile, email, verified and segment.NAME.
`,
		Args: cobra.ExactArgs(1),
	}
	commonFlags(cmd)
	cmd.Flags().String("format", "jsonl", "jsonl (an export), csv or openids (one a line)")
	cmd.Flags().String("app", "", "QQ application of the openids that name none")
	cmd.Flags().Bool("dry-run", false, "Report and write nothing")
	cmd.Flags().Bool("without-keys", false, "Leave keys and sessions out")
	cmd.RunE = untilInterrupted(runImport)
	return cmd
}

func reopenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reopen",
		Short: "Opens a store again that export --final has closed",
		Args:  cobra.NoArgs,
	}
	commonFlags(cmd)
	cmd.RunE = untilInterrupted(runReopen)
	return cmd
}

func commonFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "Configuration file (default: the Caddyfile of this directory)")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply")
	cmd.Flags().String("address", "", "Admin endpoint of the running server; go there at once")
	cmd.Flags().Bool("json", false, "Report in JSON")
}

// untilInterrupted runs a command and ends it in good order at a signal.
func untilInterrupted(run func(context.Context, caddycmd.Flags) error) func(*cobra.Command, []string) error {
	return caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err := run(ctx, flags)
		if err != nil && ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		if err != nil {
			return caddy.ExitCodeFailedStartup, err
		}
		return caddy.ExitCodeSuccess, nil
	})
}

func runReopen(ctx context.Context, flags caddycmd.Flags) error {
	base, err := openAccounts(ctx, flags, false)
	if err != nil {
		return err
	}
	if err := errors.Join(base.freeze(ctx, false), base.close()); err != nil {
		return err
	}
	if flags.Bool("json") {
		fmt.Println(`{"frozen":false}`)
	} else {
		fmt.Println("the store is open for writing")
	}
	return nil
}
