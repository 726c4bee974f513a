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
	ctx, cancel := context.WithTimeout(ctx, stateWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", append([]string{"list-units", "--all", "--plain", "--no-legend", "--full", "--no-pager"}, patterns...)...).Output()
	if err != nil {
		return nil
	}
	return parseStates(string(out))
}

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
