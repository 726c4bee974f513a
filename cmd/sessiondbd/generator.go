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
			t, err := databaseTarget(cfg)
			if err != nil {
				return err
			}
			return generate(args[0], cfg.Backup, t.OverNetwork())
		},
	}
}

// networked lets a unit out to the network, which neither backups nor the sessions' server need as a rule.
const networked = `[Unit]
Wants=network-online.target
After=network-online.target
[Service]
PrivateNetwork=no
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
IPAddressDeny=
`

// generate writes what the config says of backups for systemd. Remote is a server that is reached over the network.
func generate(dir string, b config.Backup, remote bool) error {
	usual := config.Default().Backup
	var schedule, backup, verify string
	if b.Schedule != usual.Schedule {
		schedule = "[Timer]\nOnCalendar=\nOnCalendar=" + b.Schedule + "\n"
	}
	if remote || len(b.Upload) > 0 {
		backup = networked
	}
	if remote {
		verify = networked
	}
	if b.Directory != usual.Directory {
		folder := "[Service]\nReadWritePaths=" + escaped(b.Directory) + "\n"
		backup, verify = backup+folder, verify+folder
	}
	return errors.Join(
		dropIn(dir, "sessiondbd-backup.timer", schedule),
		dropIn(dir, "sessiondbd-backup.service", backup),
		dropIn(dir, "sessiondbd-backup-verify.service", verify),
	)
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

// dropIn writes what is to be added to a unit; nothing, where there is nothing to add.
func dropIn(dir, unit, text string) error {
	if text == "" {
		return nil
	}
	to := filepath.Join(dir, unit+".d")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "50-sessiondbd-config.conf"), []byte("# From "+config.DefaultPath+".\n"+text), 0o644); err != nil {
		return fmt.Errorf("%s: %w", unit, err)
	}
	return nil
}
