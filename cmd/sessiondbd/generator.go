package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sessiondbd/internal/config"
)

// generatorCommand is what systemd runs at a boot and at a daemon-reload (systemd.generator(7)): what the config says of
// backups and a unit's file cannot know becomes a drop-in.
func (a *app) generatorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "internal-generator DIRECTORY", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			return generate(args[0], cfg.Backup)
		},
	}
}

func generate(dir string, b config.Backup) error {
	usual := config.Default().Backup
	var errs []error
	if b.Schedule != usual.Schedule {
		errs = append(errs, dropIn(dir, "sessiondbd-backup.timer", "[Timer]\nOnCalendar=\nOnCalendar="+b.Schedule+"\n"))
	}
	if b.Directory != usual.Directory {
		for _, unit := range []string{"sessiondbd-backup.service", "sessiondbd-backup-verify.service"} {
			errs = append(errs, dropIn(dir, unit, "[Service]\nReadWritePaths="+escaped(b.Directory)+"\n"))
		}
	}
	return errors.Join(errs...)
}

// escaped is a path as a unit's file quotes it (systemd.syntax(7), systemd.unit(5) on specifiers). Config paths hold no
// control characters.
func escaped(path string) string {
	out := ""
	for _, r := range path {
		switch r {
		case '%':
			out += "%%"
		case '"', '\\':
			out += `\` + string(r)
		default:
			out += string(r)
		}
	}
	return `"-` + out + `"`
}

func dropIn(dir, unit, text string) error {
	to := filepath.Join(dir, unit+".d")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "50-sessiondbd-config.conf"), []byte("# From "+config.DefaultPath+".\n"+text), 0o644); err != nil {
		return fmt.Errorf("%s: %w", unit, err)
	}
	return nil
}
