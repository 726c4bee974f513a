package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

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
		Args:  commandNames,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.incomplete(cmd, "name a command")
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.configSet = cmd.Flags().Changed("config")
			if err := a.check(cmd); err != nil {
				return usageError{err}
			}
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
	root.AddCommand(a.pauseCommand(), a.resumeCommand())
	root.AddCommand(a.doctorCommand(), a.connectCommand(), a.backupCommand(), a.restoreCommand(), a.pruneCommand())
	root.AddCommand(a.reloadCommand(), a.restartCommand(), a.generatorCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Use: "help [command]", Short: "explain a command", RunE: help})
	usageErrors(root)
	completions(root)
	return root
}

func help(cmd *cobra.Command, args []string) error {
	c, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usageError{fmt.Errorf("there is no command %q", strings.Join(args, " "))}
	}
	return c.Help()
}

// commandNames is called with what is no command's name, for a command that has others below it.
func commandNames(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)
}

// incomplete tells what a command lacks. Standard output is for what was asked for.
func (a *app) incomplete(cmd *cobra.Command, lacks string) error {
	cmd.SetOut(a.stderr)
	_ = cmd.Usage()
	return usageError{errors.New(lacks)}
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
func (a *app) parts() []string {
	if a.only != "" {
		return []string{a.only}
	}
	return []string{fire, database}
}

// check judges the flags' values. An empty one is what an unset variable in somebody's script left: no reason to go on with
// everything.
func (a *app) check(cmd *cobra.Command) error {
	switch {
	case cmd.Flags().Changed("only") && a.only != database && a.only != fire:
		return fmt.Errorf("--only %s: must be database or firewall", a.only)
	case a.configPath == "":
		return errors.New("--config: must name a file")
	}
	return nil
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
		return nil, configError{withRemedy(err, openToAll(a.configPath))}
	}
	if _, err := databaseTarget(cfg); err != nil {
		return nil, err
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
