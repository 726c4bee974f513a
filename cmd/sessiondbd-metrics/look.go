package main

import (
	"context"
	"sync"
	"time"

	"sessiondbd/internal/config"
	"sessiondbd/internal/firewall"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
)

const (
	// lookTime bounds all that PostgreSQL is asked for one answer: one that hangs costs no more.
	lookTime = time.Second
	// lookEvery is how long the answer to who is there counts as new: whoever asks at the same time shares it.
	lookEvery = time.Second
	// countEvery and countShare bound what counting costs the server: at most every so often, and of its time at most one part
	// in so many. A million rows take 81 ms.
	countEvery = 15 * time.Second
	countShare = 20
)

// bounds: who asks is a superuser, and whatever runs with our questions (a view in the place of the table, say) is not to be.
// pg_monitor sees who is there, pg_read_all_data counts; neither can write.
var bounds = operate.Bounds{Statement: lookTime * 4 / 5, Around: "pg_monitor", Inside: "pg_read_all_data"}

// seen is what PostgreSQL said. Around and the table fail each by themselves.
type seen struct {
	at   time.Time
	conf error // why the config cannot be read; without it nobody can be asked
	spec firewall.Spec
	most int // connections of one VM

	around     operate.Sessions
	aroundErr  error
	aroundTook time.Duration
	count
}

// count is what was counted last.
type count struct {
	table     *operate.Table
	tableErr  error
	tableTook time.Duration
	counted   time.Time
	again     time.Time // not before
}

// looker asks PostgreSQL, over a connection of its own each time: a standing one would take a slot and hold up DROP DATABASE.
type looker struct {
	config    string
	mustExist bool // the config file, because it was named

	mu   sync.Mutex
	last seen
}

// look answers with what is known after lookTime at the latest.
func (l *looker) look(ctx context.Context) seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.last.at) < lookEvery {
		return l.last
	}
	s := seen{count: l.last.count}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if l.ask(ctx, &s); s.aroundErr != nil {
		s.count = count{tableErr: s.aroundErr} // and is counted anew as soon as somebody answers
	}
	s.at = time.Now()
	l.last = s
	return s
}

func (l *looker) ask(ctx context.Context, s *seen) {
	// Read anew each time: this process has nobody who would tell it of a reload.
	var cfg *config.Config
	if cfg, s.conf = config.Load(l.config, l.mustExist); s.conf != nil {
		s.aroundErr = s.conf
		return
	}
	s.most, s.spec = cfg.Firewall.MaxConnectionsPerVM, specOf(cfg)
	target, err := postgres.NewTarget(cfg.Database.URL.Reveal(), cfg.Database.Name)
	if err != nil {
		s.aroundErr = err
		return
	}
	began := time.Now()
	c, err := target.ConnectSession(ctx)
	if err != nil {
		s.aroundErr = err
		return
	}
	defer c.CloseSoon()
	s.around, s.aroundErr = operate.LookAround(ctx, c, s.spec, bounds)
	s.aroundTook = time.Since(began)
	if s.aroundErr != nil || time.Now().Before(s.again) {
		return
	}
	began = time.Now()
	s.table, s.tableErr = s.around.LookInside(ctx, c, bounds)
	s.counted = time.Now()
	s.tableTook = s.counted.Sub(began)
	s.again = s.counted.Add(max(countEvery, countShare*s.tableTook))
}

// specOf is what tells where a connection comes from.
func specOf(cfg *config.Config) firewall.Spec {
	var s firewall.Spec
	for _, n := range cfg.Networks {
		s.Networks = append(s.Networks, firewall.Network{Name: n.Name, Subnet: n.Subnet, Gateway: n.Gateway})
	}
	return s
}
