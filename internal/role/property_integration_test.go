//go:build integration

package role

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sessiondbd/internal/lab"
)

// TestProvokedDrifts provokes each of them, all at once, and random selections in random order. One pass repairs them, and
// a second one finds nothing. SESSIONDBD_SEED repeats a run.
func TestProvokedDrifts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SESSIONDBD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for _, major := range lab.Majors() {
		bindir := lab.BindirT(t, major)
		runs := 20
		if major == 15 {
			runs = 200
		}
		if os.Getenv("SESSIONDBD_SOAK") != "" {
			runs = 2000
		}
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			v := newVandal(t, bindir)
			for _, p := range v.provocations() {
				v.try(p)
				if !slices.Contains(v.fields(), p.field) {
					t.Errorf("%s: changed %q, not %s", p.sql, v.fields(), p.field)
				}
			}
			v.try(v.provocations()...)
			random := rand.New(rand.NewPCG(seed, uint64(major)))
			for run := range runs {
				v.what = fmt.Sprintf("SESSIONDBD_SEED=%d, run %d", seed, run)
				v.try(selection(random, v.provocations())...)
			}
		})
	}
}

// selection takes some, in any order.
func selection(random *rand.Rand, from []provocation) []provocation {
	random.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	return from[:1+random.IntN(len(from))]
}

// vandal is a host with somebody who breaks it.
type vandal struct {
	*host
	conn *pgconn.PgConn
	what string
}

func newVandal(t *testing.T, bindir string) *vandal {
	c := lab.ClusterT(t, lab.ClusterOptions{Bindir: bindir})
	w := declared()
	w.Roles = append(w.Roles, Spec{Name: "reader", Access: ReadOnly, ConnectionLimit: 5})
	v := &vandal{host: newHost(t, c, w)}
	v.converge()
	conn, err := pgconn.Connect(t.Context(), c.URL("sessiondb"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	v.conn = conn
	v.exec("CREATE ROLE dba; CREATE ROLE guest; CREATE ROLE team; CREATE SCHEMA sessiondbd AUTHORIZATION sessiondb_owner; " + others)
	return v
}

func (v *vandal) exec(sql string) {
	v.t.Helper()
	if _, err := v.conn.Exec(v.t.Context(), sql).ReadAll(); err != nil {
		v.t.Fatalf("%s: %s: %v", v.what, sql, err)
	}
}

// try provokes, and converges.
func (v *vandal) try(list ...provocation) {
	v.t.Helper()
	defer func() {
		if v.t.Failed() {
			v.t.Logf("%s, after:", v.what)
			for _, p := range list {
				v.t.Log(p.sql)
			}
		}
	}()
	for _, p := range list {
		v.exec(p.sql)
	}
	v.converge()
}
