package main

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/operate"
)

// networksMost is how many networks are listed also while nobody connects from them.
const networksMost = 256

var (
	parts  = []string{"database", "firewall"}
	states = []daemon.Kind{daemon.Starting, daemon.Waiting, daemon.Degraded, daemon.Converged, daemon.Paused}
	kinds  = map[string][]string{
		"database": {"server", "database", "role", "migration", "schema", "grants", "hba"},
		"firewall": {"firewall"},
	}
	items = []string{"in_sync", "drift", "refused", "blocked"}
	// documented are the statuses that there always are.
	documented = []string{"pending", "processing", "completed", "failed"}
)

// collector reads the daemons' state files and asks PostgreSQL, each time that it is asked.
type collector struct {
	runDir string
	looker looker
	log    *slog.Logger

	mu   sync.Mutex
	told map[string]string // what has been logged of each part
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range all {
		ch <- m.desc
	}
}

// Collect says what is known; what is not is left out, and up says so.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ch <- buildInfo.value(1, version, commit, runtime.Version())
	paused := false
	for _, part := range parts {
		s, err := daemon.See(part, c.runDir+"/"+part+"/status.json")
		c.tell(part, err)
		running := err == nil && s.Running && s.State != nil
		ch <- up.value(truth(running), part)
		if running {
			collectState(ch, part, *s.State)
			paused = paused || part == "database" && s.State.State == daemon.Paused
		}
	}
	// A pause is for work that our connection would be in the way of.
	if !paused {
		c.collectSeen(ch, c.looker.look(context.Background()))
	}
}

// tell logs an error when it is another one than before.
func (c *collector) tell(part string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != c.told[part] {
		if c.told[part] = text; err != nil {
			c.log.Warn("no metrics", "part", part, "error", err)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func collectState(ch chan<- prometheus.Metric, part string, s daemon.State) {
	ch <- started.value(float64(s.Started.UnixMilli())/1000, part)
	for _, k := range states {
		ch <- state.value(truth(s.State == k), part, string(k))
	}
	ch <- converged.value(truth(s.State == daemon.Converged), part)
	ch <- passes.value(float64(s.Counts.Passes), part)
	ch <- failed.value(float64(s.Counts.Failed), part)
	ch <- passTime.value(s.Counts.PassSeconds, part)
	if !s.LastPass.At.IsZero() {
		ch <- lastPass.value(float64(s.LastPass.At.UnixMilli())/1000, part)
		ch <- lastSeconds.value(s.LastPass.Seconds, part)
	}
	for kind, actions := range s.Counts.Changes {
		for action, n := range actions {
			ch <- changes.value(float64(n), part, kind, action)
		}
	}
	// Also those without any, so that the first one is seen to grow.
	differs := map[string]int{}
	for _, kind := range kinds[part] {
		differs[kind] = 0
	}
	maps.Copy(differs, s.Counts.Drift)
	for kind, n := range differs {
		ch <- drift.value(float64(n), part, kind)
	}
	ch <- repairs.value(float64(s.Counts.Repairs), part)
	for program, n := range s.Counts.Opponents {
		ch <- opponents.value(float64(n), part, program)
	}
	for _, name := range items {
		n := 0
		for _, r := range s.Items {
			if r.State == name {
				n++
			}
		}
		ch <- resources.value(float64(n), part, name)
	}
	ch <- warnings.value(float64(len(s.Report.Warnings)), part)
	ch <- reloadBad.value(truth(s.Reload.Error != ""), part)
	fact(ch, s, networks, "networks", part)
	fact(ch, s, admitted, "networks_admitted", part)
	fact(ch, s, schema, "schema_version")
	fact(ch, s, initial, "initial_passwords")
	fact(ch, s, backupTime, "backup_time")
	fact(ch, s, backupBytes, "backup_bytes")
	fact(ch, s, backupSessions, "backup_sessions")
	fact(ch, s, backupsKept, "backups_kept")
	fact(ch, s, backupFailed, "backup_failed")
	fact(ch, s, backupVerified, "backup_verified_time")
	fact(ch, s, backupUnfit, "backup_unfit")
}

// fact passes on what the last look found, if it did.
func fact(ch chan<- prometheus.Metric, s daemon.State, m *metric, name string, labels ...string) {
	if n, known := s.Facts[name]; known {
		ch <- m.value(float64(n), labels...)
	}
}

func (c *collector) collectSeen(ch chan<- prometheus.Metric, s seen) {
	c.tell("postgresql", s.aroundErr)
	c.tell("table", s.tableErr)
	ch <- up.value(truth(s.aroundErr == nil), "postgresql")
	ch <- up.value(truth(s.tableErr == nil), "table")
	if s.conf == nil {
		ch <- perVM.value(float64(s.most))
	}
	if s.aroundErr == nil {
		collectAround(ch, s)
	}
	if t := s.table; t != nil {
		ch <- lookSeconds.value(s.tableTook.Seconds(), "table")
		ch <- tableSize.value(float64(t.Bytes))
		ch <- indexSize.value(float64(t.IndexesBytes))
		ch <- children.value(float64(t.Children))
		ch <- counted.value(float64(s.counted.UnixMilli()) / 1000)
		rows := map[string]int{"none": 0}
		for _, status := range documented {
			rows[status] = 0
		}
		for _, r := range t.Statuses {
			if r.Status == "" {
				r.Status = "none"
			}
			rows[r.Status] += r.Rows
		}
		for status, n := range rows {
			ch <- sessions.value(float64(n), status)
		}
	}
}

func collectAround(ch chan<- prometheus.Metric, s seen) {
	a := s.around
	ch <- lookSeconds.value(s.aroundTook.Seconds(), "around")
	ch <- dbSize.value(float64(a.DatabaseBytes))
	ch <- serverMax.value(float64(a.MaxConnections))
	from := map[string]int{"host": 0, "sessiondbd": 0, "other": 0}
	var names []string
	for _, n := range s.spec.Networks {
		names = append(names, n.Name)
		if len(s.spec.Networks) <= networksMost {
			from[n.Name] = 0
		}
	}
	doing := map[string]int{"active": 0, "idle": 0, "idle_in_transaction": 0}
	for _, x := range a.Connections {
		from[place(names, x.From)] += x.Total
		doing["active"] += x.Active
		doing["idle_in_transaction"] += x.Waiting
		doing["idle"] += x.Total - x.Active - x.Waiting
	}
	for name, n := range from {
		ch <- connections.value(float64(n), name)
	}
	for name, n := range doing {
		ch <- activity.value(float64(n), name)
	}
	ch <- slow.value(float64(len(a.Slow)))
	ch <- long.value(float64(len(a.Old)))
	query, transaction := 0, 0
	if len(a.Slow) > 0 {
		query = a.Slow[0].QueryAge // the longest first
	}
	if len(a.Old) > 0 {
		transaction = a.Old[0].Transaction
	}
	ch <- slowest.value(float64(query) / 1000)
	ch <- longest.value(float64(transaction) / 1000)
}

// place is where connections come from, in words that are few.
func place(names []string, from string) string {
	switch {
	case slices.Contains(names, from):
		return from
	case from == operate.ThisHost:
		return "host"
	case from == operate.Itself:
		return "sessiondbd"
	}
	return "other"
}
