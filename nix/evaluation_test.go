package nix

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// releases are those of NixOS that the module is for, oldest first.
var releases = []string{"24.05", "24.11", "25.05", "25.11", "26.05"}

// evaluatedFile holds what the module evaluated to, for machines without the lib of nixpkgs.
const evaluatedFile = "testdata/evaluated.json"

// result is what one configuration comes to: view in tests/eval.nix.
type result struct {
	Error           bool                `json:"error"` // it does not evaluate
	Failed          []string            `json:"failed"`
	Warnings        []string            `json:"warnings"`
	Etc             map[string]string   `json:"etc"`
	Packages        []string            `json:"packages"`
	UnitPackages    []string            `json:"unitPackages"`
	TmpfilesPackage []string            `json:"tmpfilesPackages"`
	TmpfilesRules   []string            `json:"tmpfilesRules"`
	Users           []string            `json:"users"`
	Services        map[string]service  `json:"services"`
	HasTarget       bool                `json:"hasTarget"`
	Sockets         map[string][]string `json:"sockets"` // what wants them
	Timers          map[string][]string `json:"timers"`  // likewise
	Calendars       map[string][]string `json:"calendars"`
	Sysctl          map[string]any      `json:"sysctl"`
	Firewall        struct {
		Enable   bool   `json:"enable"`   // NixOS's own
		NFTables bool   `json:"nftables"` // which it then is made of
		Ruleset  string `json:"ruleset"`  // the host's own
		Extra    string `json:"extraInputRules"`
	} `json:"firewall"`
	PostgreSQL struct {
		Enable         bool           `json:"enable"`
		Settings       map[string]any `json:"settings"`
		Authentication string         `json:"authentication"`
		IdentMap       string         `json:"identMap"`
	} `json:"postgresql"`
	Backup struct {
		Enable      bool     `json:"enable"`
		Databases   []string `json:"databases"`
		Location    string   `json:"location"`
		StartAt     any      `json:"startAt"`
		Compression string   `json:"compression"`
	} `json:"backup"`
}

// service is what the configuration adds to a unit.
type service struct {
	Enable         bool           `json:"enable"`
	Wants          []string       `json:"wants"`
	After          []string       `json:"after"`
	WantedBy       []string       `json:"wantedBy"`
	Aliases        []string       `json:"aliases"`
	Path           []string       `json:"path"`
	ReloadTriggers []string       `json:"reloadTriggers"`
	StopIfChanged  bool           `json:"stopIfChanged"`
	UnitConfig     map[string]any `json:"unitConfig"`
	ServiceConfig  map[string]any `json:"serviceConfig"`
}

// option is the documentation of one.
type option struct {
	Name        string  `json:"name"`
	Type        string  `json:"type"`
	ReadOnly    bool    `json:"readOnly"`
	Description string  `json:"description"`
	Default     *string `json:"default"`
	Example     *string `json:"example"`
}

// evaluated is the committed file. Fields of results are stored once and named by their digest: releases hardly differ.
type evaluated struct {
	Digest  string                     `json:"digest"` // of the files that were evaluated
	Values  map[string]json.RawMessage `json:"values"`
	Cases   map[string][]group         `json:"cases"`
	Flake   flake                      `json:"flake"`
	Script  string                     `json:"testScript"` // of the booted test
	Peers   map[string]string          `json:"peers"`      // of the booted test, with their gateways
	Options []option                   `json:"options"`
}

// flake is what flake.nix offers.
type flake struct {
	Packages map[string]map[string]string `json:"packages"`
	Checks   map[string][]string          `json:"checks"`
	Overlay  string                       `json:"overlay"`
	Modules  []string                     `json:"modules"`
}

type group struct {
	Releases []string          `json:"releases"`
	Fields   map[string]string `json:"fields"`
}

// evaluatedSources are the files that decide what an evaluation comes to.
func evaluatedSources() ([]string, error) {
	var all []string
	for _, pattern := range []string{"*.nix", "tests/*.nix", "tests/*.nft"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return slices.DeleteFunc(all, func(name string) bool {
		return slices.Contains([]string{"package.nix"}, name) // its hash changes with the modules; a test of its own holds it
	}), nil
}

func digestOfSources(t *testing.T) string {
	t.Helper()
	files, err := evaluatedSources()
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// pack fills in raw results: release, case, field.
func (e *evaluated) pack(raw map[string]map[string]map[string]json.RawMessage) {
	e.Values, e.Cases = map[string]json.RawMessage{}, map[string][]group{}
	for _, release := range slices.Sorted(maps.Keys(raw)) {
		for name, fields := range raw[release] {
			refs := map[string]string{}
			for field, value := range fields {
				key := fmt.Sprintf("%x", sha256.Sum256(value))[:10]
				e.Values[key], refs[field] = value, key
			}
			groups := e.Cases[name]
			i := slices.IndexFunc(groups, func(g group) bool { return maps.Equal(g.Fields, refs) })
			if i < 0 {
				e.Cases[name] = append(groups, group{[]string{release}, refs})
				continue
			}
			groups[i].Releases = append(groups[i].Releases, release)
		}
	}
}

func (e evaluated) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(e)
	return b.Bytes(), err
}

// result unpacks one result; nil where there is none.
func (e evaluated) result(t *testing.T, name, release string) *result {
	t.Helper()
	for _, g := range e.Cases[name] {
		if !slices.Contains(g.Releases, release) {
			continue
		}
		fields := map[string]json.RawMessage{}
		for field, key := range g.Fields {
			fields[field] = e.Values[key]
		}
		data, err := json.Marshal(fields)
		if err != nil {
			t.Fatalf("%s on %s: %v", name, release, err)
		}
		var r result
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%s on %s: %v", name, release, err)
		}
		return &r
	}
	return nil
}

// committed reads the committed results, which must be those of the module as it is.
func committed(t *testing.T) evaluated {
	t.Helper()
	data, err := os.ReadFile(evaluatedFile)
	if err != nil {
		t.Fatal(err)
	}
	var e evaluated
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatalf("%s: %v", evaluatedFile, err)
	}
	if have := digestOfSources(t); have != e.Digest {
		t.Fatalf("%s is of other files than those in nix/ (digest %.12s, not %.12s): renew it with NIXPKGS_LIB=… make nix-eval", evaluatedFile, e.Digest, have)
	}
	return e
}
