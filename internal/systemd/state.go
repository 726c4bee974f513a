package systemd

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// UnitState is a unit as systemd knows it.
type UnitState struct {
	Name   string
	Active string // active, inactive, failed, activating…
}

// stateWait bounds the question, which takes milliseconds: a systemd that hangs must not keep a diagnosis from ending.
const stateWait = 3 * time.Second

// States asks systemctl for the units that match patterns. Everybody may ask. Without systemd, or an answer, there are none.
func States(ctx context.Context, patterns ...string) []UnitState {
	return parseStates(ask(ctx, "list-units", append(patterns, "--all")))
}

// Files says of unit files that match patterns whether they are enabled, disabled, masked, static…, by their names.
func Files(ctx context.Context, patterns ...string) map[string]string {
	return parseFiles(ask(ctx, "list-unit-files", patterns))
}

func ask(ctx context.Context, what string, arguments []string) string {
	ctx, cancel := context.WithTimeout(ctx, stateWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", append([]string{what, "--plain", "--no-legend", "--full", "--no-pager"}, arguments...)...).Output()
	if err != nil {
		return ""
	}
	return string(out)
}

// parseFiles reads the columns UNIT FILE, STATE.
func parseFiles(out string) map[string]string {
	files := map[string]string{}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= 2 {
			files[f[0]] = f[1]
		}
	}
	return files
}

// Masked says whether that is the state of a unit that nobody can start.
func Masked(state string) bool { return strings.HasPrefix(state, "masked") }

// parseStates reads the columns UNIT, LOAD, ACTIVE, SUB, DESCRIPTION. A unit that is only mentioned by others is none.
func parseStates(out string) []UnitState {
	var list []UnitState
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= 3 && f[1] != "not-found" {
			list = append(list, UnitState{f[0], f[2]})
		}
	}
	return list
}

// Failed says whether a unit is among those that have failed.
func Failed(units []UnitState, name string) bool {
	for _, u := range units {
		if u.Name == name {
			return u.Active == "failed"
		}
	}
	return false
}
