package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"sessiondbd/internal/config"
	"sessiondbd/internal/systemd"
)

// app is one invocation: its streams and the flags that every command has.
type app struct {
	stdout, stderr io.Writer

	configPath string
	configSet  bool
	logFormat  string
	logLevel   string
	only       string
	json       bool

	log     *slog.Logger
	stopLog func()
}

// The parts of the product, each a process of its own under systemd.
const (
	database = "database"
	fire     = "firewall"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sessiondbd",
		Short: "the session database of this hypervisor: schema, roles, access and firewall, kept as the config says",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Usage()
			return usageError{errors.New("name a command")}
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.configSet = cmd.Flags().Changed("config")
			return a.startLog()
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.StringVar(&a.configPath, "config", config.DefaultPath, "the config `file`; absent: the documented hypervisor")
	f.StringVar(&a.logFormat, "log-format", "auto", "auto, journal, text or json; the log goes to stderr or the journal")
	f.StringVar(&a.logLevel, "log-level", "info", "debug, info, warn or error")
	root.AddCommand(a.planCommand(), a.applyCommand(), a.runCommand(), a.statusCommand(), a.removeCommand(), a.configCommand(), a.versionCommand())
	root.AddCommand(a.reloadCommand(), a.restartCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, c := range root.Commands() {
		usageErrors(c)
	}
	return root
}

// usageErrors makes cobra's own complaints about arguments exit with 64.
func usageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageErrors(sub)
	}
}

// onlyFlag restricts a command to one part.
func (a *app) onlyFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.only, "only", "", "restrict to one `part`: database or firewall")
}

func (a *app) jsonFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.json, "json", false, "print one JSON document")
}

// parts are those that the command is about, in the order in which they are treated: the door is closed first.
func (a *app) parts() ([]string, error) {
	all := []string{fire, database}
	if a.only == "" {
		return all, nil
	}
	if !slices.Contains(all, a.only) {
		return nil, usageError{fmt.Errorf("--only %s: must be database or firewall", a.only)}
	}
	return []string{a.only}, nil
}

func (a *app) has(part string) bool { return a.only == "" || a.only == part }

func (a *app) startLog() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usageError{fmt.Errorf("--log-level %s: must be debug, info, warn or error", a.logLevel)}
	}
	h, stop, err := systemd.NewHandler(a.logFormat, level, a.stderr)
	if err != nil {
		return usageError{fmt.Errorf("--log-format: %w", err)}
	}
	a.log = slog.New(h)
	a.stopLog = stop
	return nil
}

// loadConfig reads the config. A file that was named must exist.
func (a *app) loadConfig() (*config.Config, error) {
	cfg, err := config.Load(a.configPath, a.configSet)
	if err != nil {
		return nil, configError{err}
	}
	return cfg, nil
}

// paths of the running system. Tests and chroots move them by environment.
func runDir(part string) string {
	return fromEnv("SESSIONDBD_RUN_DIR", "/run/sessiondbd") + "/" + part
}

// restartFlag is the file that asks root for a restart of PostgreSQL.
func restartFlag() string { return runDir(database) + "/restart-postgresql" }

func stateDir() string {
	return fromEnv("SESSIONDBD_STATE_DIR", "/var/lib/sessiondbd")
}

func fromEnv(name, standard string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return standard
}
