package main

import (
	"github.com/spf13/cobra"

	"sessiondbd/internal/config"
	"sessiondbd/internal/operate"
)

// completions offers the values of flags to the shell.
func completions(c *cobra.Command) {
	for name, values := range map[string][]string{
		"only":       {database, fire},
		"log-format": {"auto", "journal", "text", "json"},
		"log-level":  {"debug", "info", "warn", "error"},
		"format":     operate.Formats,
		"status":     {string(config.Completed), string(config.Failed)},
	} {
		if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
			// Fails only for a flag that is not there, or was named twice.
			_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	for _, sub := range c.Commands() {
		completions(sub)
	}
}
