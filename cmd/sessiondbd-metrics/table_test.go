package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write deploy/doc/metrics.md anew")

const deploy = "../../deploy/"

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The documentation lists every metric, in the words of its help.
func TestMetricsAreDocumented(t *testing.T) {
	const path = deploy + "doc/metrics.md"
	head, _, found := strings.Cut(read(t, path), "## The metrics\n")
	if !found {
		t.Fatal(path + " has no section for the metrics")
	}
	var b strings.Builder
	b.WriteString(head + "## The metrics\n\n| name | labels | what |\n|---|---|---|\n")
	for _, m := range all {
		kind := ""
		if m.kind == counter {
			kind = " Counter."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s%s |\n", m.name, strings.Join(m.labels, ", "), m.help, kind)
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(b.String(), read(t, path)); d != "" {
		t.Errorf("%s is not what the table says; run: go test ./cmd/sessiondbd-metrics -update (-want +have)\n%s", path, d)
	}
}

// each emits every metric of the table once.
type each struct{}

func (each) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range all {
		ch <- m.desc
	}
}

func (each) Collect(ch chan<- prometheus.Metric) {
	for _, m := range all {
		ch <- m.value(1, m.labels...)
	}
}

// Names, units and help are as Prometheus asks for.
func TestMetricsLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(each{})
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", err, problems)
	}
	for _, m := range all {
		if !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s: its help is no sentence: %s", m.name, m.help)
		}
	}
}

var metricName = regexp.MustCompile(`\bsessiondbd_[a-z_]+`)

// unknownIn returns the names in a text that no metric has. It counts those that one has in seen.
func unknownIn(text string, seen map[string]bool) (unknown []string) {
	for _, name := range metricName.FindAllString(text, -1) {
		seen[name] = true
		if !slices.ContainsFunc(all, func(m *metric) bool { return m.name == name }) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func TestUnknownNamesAreSeen(t *testing.T) {
	if have := unknownIn("sum(sessiondbd_up) / sessiondbd_ups", map[string]bool{}); !slices.Equal(have, []string{"sessiondbd_ups"}) {
		t.Errorf("%q", have)
	}
}

// The dashboard shows metrics that there are, and every metric somewhere.
func TestDashboard(t *testing.T) {
	text := read(t, deploy+"grafana/sessiondbd.json")
	var board struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr, RefID string }
			GridPos struct{ X, Y, W, H int }
		}
	}
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	seen, ids := map[string]bool{}, map[int]bool{}
	for i, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d, %q: its number is taken, it has no title or question, or is too wide", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, q := range board.Panels[:i] {
			if a, b := p.GridPos, q.GridPos; a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q lies over %q", p.Title, q.Title)
			}
		}
	}
	if unknown := unknownIn(text, seen); len(unknown) > 0 {
		t.Errorf("the dashboard names metrics that there are not: %q", unknown)
	}
	for _, m := range all {
		if !seen[m.name] && m != children && m != counted {
			t.Errorf("the dashboard does not show %s", m.name)
		}
	}
}

// The alert rules are rules, about metrics that there are; each says what to do.
func TestAlertRules(t *testing.T) {
	text := read(t, deploy+"prometheus/sessiondbd.rules.yml")
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr         string
				For                 time.Duration
				Labels, Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	names, rules := map[string]bool{}, 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			rules++
			seen := map[string]bool{}
			if unknown := unknownIn(r.Expr, seen); len(unknown) > 0 || len(seen) == 0 {
				t.Errorf("%s asks for metrics that there are not: %q, of %v", r.Alert, unknown, seen)
			}
			if names[r.Alert] || !strings.HasPrefix(r.Alert, "Sessiondbd") {
				t.Errorf("%s: not a name of its own", r.Alert)
			}
			names[r.Alert] = true
			if r.Annotations["summary"] == "" || r.Annotations["action"] == "" || r.Labels["severity"] != "critical" && r.Labels["severity"] != "warning" {
				t.Errorf("%s: labels %v, annotations %v", r.Alert, r.Labels, r.Annotations)
			}
		}
	}
	if rules < 15 {
		t.Errorf("only %d rules", rules)
	}
}
