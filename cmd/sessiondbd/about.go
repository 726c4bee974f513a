package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"sessiondbd/internal/schema"
)

// Set by the linker (see Makefile).
var (
	version = "devel"
	commit  = "unknown"
)

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "version, commit, Go and schema version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			want, err := schema.Embedded()
			if err != nil {
				return err
			}
			if a.json {
				e := json.NewEncoder(a.stdout)
				e.SetIndent("", "  ")
				return e.Encode(map[string]any{"version": version, "commit": commit, "go": runtime.Version(), "schema": want.Version()})
			}
			_, err = fmt.Fprintf(a.stdout, "sessiondbd %s\ncommit     %s\ngo         %s %s/%s\nschema     %04d\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, want.Version())
			return err
		},
	}
	a.jsonFlag(c)
	return c
}

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "validate or print the config", Args: commandNames, RunE: func(cmd *cobra.Command, _ []string) error {
		return a.incomplete(cmd, "config: say check or show")
	}}
	c.AddCommand(&cobra.Command{
		Use: "check", Short: "validate the config and the passwords that it names", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			if _, err := readSecrets(cfg); err != nil {
				return err
			}
			if err := unreadable(cfg); err != nil {
				return err
			}
			path := cfg.Path
			if path == "" {
				path = "no config file: the defaults"
			}
			_, err = fmt.Fprintf(a.stdout, "%s: ok\n", path)
			return err
		},
	}, &cobra.Command{
		Use: "show", Short: "print the effective config, secrets hidden", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			return cfg.Show(a.stdout)
		},
	})
	return c
}
