package main

import "github.com/prometheus/client_golang/prometheus"

// metric is one name with what it means. Its labels have few values: what the config, PostgreSQL's catalogue or sessiondbd
// itself names, never an address, a query or a user.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string

	desc *prometheus.Desc
}

func (m *metric) value(v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// all is every metric in the order of the documentation, which is written from it.
var all []*metric

func define(kind prometheus.ValueType, name, help string, labels ...string) *metric {
	name = "sessiondbd_" + name
	m := &metric{name, help, kind, labels, prometheus.NewDesc(name, help, labels, nil)}
	all = append(all, m)
	return m
}

// What is known without asking anybody.
var (
	buildInfo = define(gauge, "build_info", "Always 1; version, commit and Go version of what answers.", "version", "commit", "goversion")
	up        = define(gauge, "up", "1 if the part answers: database and firewall are the daemons, postgresql is the server with the session database (left out while paused), table is public.session, which was counted.", "part")
)

// What the daemons write into their state files. Counters begin at zero when the daemon starts.
var (
	started     = define(gauge, "start_time_seconds", "When the daemon started, in seconds since the epoch.", "part")
	state       = define(gauge, "state", "1 for the state that the daemon is in, 0 for the others.", "part", "state")
	converged   = define(gauge, "converged", "1 if the last pass found or left everything as the config says and the VMs served.", "part")
	passes      = define(counter, "passes_total", "Passes over the host: one at the start, at each interval and at each event.", "part")
	failed      = define(counter, "failed_passes_total", "Passes that ended in an error, those that only met a PostgreSQL that is away included.", "part")
	passTime    = define(counter, "passes_seconds_total", "Seconds spent in passes.", "part")
	lastPass    = define(gauge, "last_pass_timestamp_seconds", "When the last pass began, in seconds since the epoch.", "part")
	lastSeconds = define(gauge, "last_pass_duration_seconds", "How long the last pass took.", "part")
	changes     = define(counter, "changes_total", "Changes made, by kind of resource and by action.", "part", "resource", "action")
	drift       = define(counter, "drift_total", "Differences found after the part had converged, by kind of resource; those that are only reported count when they appear.", "part", "resource")
	repairs     = define(counter, "repairs_total", "Passes that mended drift; those of the firewall are restores of its rules.", "part")
	opponents   = define(counter, "opponent_repairs_total", "Repairs of what a program had changed, by its name; somebody where an event names none.", "part", "program")
	resources   = define(gauge, "resources", "Managed resources, by how the last pass saw them.", "part", "state")
	warnings    = define(gauge, "warnings", "Warnings that the last pass had: sessiondbd status shows them.", "part")
	reloadBad   = define(gauge, "reload_failed", "1 if the last reload failed: the config was refused, or the pass with it did not get on.", "part")
	networks    = define(gauge, "networks", "Networks of the config.", "part")
	admitted    = define(gauge, "networks_admitted", "Networks that the firewall or pg_hba.conf lets in.", "part")
	schema      = define(gauge, "schema_version", "Number of the newest migration in the session database.")
	initial     = define(gauge, "initial_passwords", "Roles whose initial password is in use: it is documented, or stands in the config.")
	// None of these where no backup was ever tried.
	backupTime     = define(gauge, "backup_last_success_timestamp_seconds", "When the newest backup was made, in seconds since the epoch.")
	backupBytes    = define(gauge, "backup_size_bytes", "Size of the newest backup.")
	backupSessions = define(gauge, "backup_sessions", "Rows of public.session in the newest backup.")
	backupsKept    = define(gauge, "backups_kept", "Backups that are kept.")
	backupFailed   = define(gauge, "backup_failed", "1 if a backup, or its upload, has failed since the newest good one.")
	backupVerified = define(gauge, "backup_last_verified_timestamp_seconds", "When a backup was last restored for a test and found whole, in seconds since the epoch.")
	backupUnfit    = define(gauge, "backup_unfit", "1 if the last backup that was restored for a test was not whole.")
)

// What PostgreSQL is asked when the metrics are.
var (
	lookSeconds = define(gauge, "look_duration_seconds", "How long PostgreSQL took to answer: who is there, and counting the table.", "question")
	dbSize      = define(gauge, "database_size_bytes", "Size of the session database.")
	tableSize   = define(gauge, "table_size_bytes", "Size of public.session without its indexes, with TOAST.")
	indexSize   = define(gauge, "indexes_size_bytes", "Size of the indexes of public.session.")
	sessions    = define(gauge, "sessions", "Rows of public.session by inbox_status; none for those without. Counted every 15 s at most.", "status")
	children    = define(gauge, "child_sessions", "Rows of public.session with a parent.")
	counted     = define(gauge, "counted_timestamp_seconds", "When public.session was counted, in seconds since the epoch.")
	connections = define(gauge, "connections", "Connections to the session database by the network of the config that they come from; host, sessiondbd and other beside.", "network")
	perVM       = define(gauge, "network_connections_limit", "Connections that the config allows one VM.")
	serverMax   = define(gauge, "server_connections_limit", "Connections that the server takes of everybody together (max_connections).")
	activity    = define(gauge, "connections_by_state", "Connections to the session database by what they do.", "state")
	slow        = define(gauge, "slow_queries", "Queries of others than sessiondbd that have been running for more than 5 s.")
	slowest     = define(gauge, "slowest_query_seconds", "Age of the oldest of the slow queries, 0 without.")
	long        = define(gauge, "long_transactions", "Transactions of others than sessiondbd that have been open for more than a minute.")
	longest     = define(gauge, "longest_transaction_seconds", "Age of the oldest of the long transactions, 0 without.")
)
