package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Identity tells a database from another one of the same name: the cluster's system identifier (pg_control_system) and the
// database's OID.
type Identity struct {
	Cluster  string    `json:"cluster"`
	Database string    `json:"database"`
	OID      string    `json:"oid"`
	Since    time.Time `json:"since"`
	// Next is the OID of a database that a restore is about to put in its place: killed between that and its end, either is
	// the right one.
	Next string `json:"next_oid,omitempty"`
}

// same says whether a database is the one that is remembered.
func (i Identity) same(now Identity) bool {
	return i.Cluster == now.Cluster && i.Database == now.Database && (i.OID == now.OID || i.Next != "" && i.Next == now.OID)
}

func (i Identity) String() string { return fmt.Sprintf("cluster %s, OID %s", i.Cluster, i.OID) }

// Memory is the file in which the identity is remembered.
type Memory struct{ Path string }

// ErrDamaged says that what is remembered cannot be understood.
var ErrDamaged = errors.New("does not hold an identity: it was cut off or edited")

// Recall reads the identity; nil when none was remembered. A file that cannot be read or understood (ErrDamaged) is an
// error: taking it for absent would let a replaced database pass.
func (m Memory) Recall() (*Identity, error) {
	data, err := os.ReadFile(m.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the remembered identity: %w; database.os_user must be able to read it", err)
	}
	var i Identity
	if err := json.Unmarshal(data, &i); err != nil || i.Cluster == "" || i.OID == "" {
		return nil, fmt.Errorf("%s %w", m.Path, ErrDamaged)
	}
	return &i, nil
}

// Remember writes the identity as a whole or not at all. One that says no time is of now.
func (m Memory) Remember(i Identity) error {
	if i.Since.IsZero() {
		i.Since = time.Now().UTC().Truncate(time.Second)
	}
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(m.Path), ".identity-*")
	if err != nil {
		return fmt.Errorf("remembering the database's identity: %w; the folder belongs to database.os_user: `install -d -o postgres -m 0700 %s`", err, filepath.Dir(m.Path))
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), m.Path)
	}
	if err != nil {
		return fmt.Errorf("remembering the database's identity: %w", err)
	}
	return nil
}

// Remember is the step that writes the identity down. Whoever executes it asks the server for it then: a database that
// the same pass made had none when the plan was drawn.
type Remember struct{ Database string }

func (r Remember) String() string { return "remember the identity of database " + r.Database }
