package operate

import "slices"

// Severity says what a finding means for the VMs.
type Severity string

// The severities.
const (
	Broken Severity = "broken" // some VM is not served, or the host is not as its config says
	Risk   Severity = "risk"   // served, but not safely, or not for long
	Unseen Severity = "unseen" // it could not be looked at: nobody knows
)

// Finding is something for a person to know and to mend.
type Finding struct {
	Area     string   `json:"area"`
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Why      string   `json:"why"`
	Remedy   string   `json:"remedy"` // the command that mends it
}

// Look is one area that was looked at, with what was seen there in a few words.
type Look struct {
	Area string `json:"area"`
	Saw  string `json:"saw"`
}

// The areas, in the order of a connection's way and then of what it comes to.
const (
	AreaConfig     = "config"
	AreaSecrets    = "passwords"
	AreaServices   = "services"
	AreaPostgreSQL = "PostgreSQL"
	AreaNetworks   = "networks"
	AreaFirewall   = "firewall"
	AreaServer     = "server"
	AreaHBA        = "pg_hba.conf"
	AreaDatabase   = "database"
	AreaActivity   = "activity"
	AreaDisk       = "disk"
	AreaBackups    = "backups"
	AreaUnits      = "old units"
)

// Diagnosis is what doctor found. It is healthy without findings, and where no way ends that was followed.
type Diagnosis struct {
	Healthy  bool      `json:"healthy"`
	Looked   []Look    `json:"looked_at"`
	Findings []Finding `json:"findings"`
	Way      *Way      `json:"way,omitempty"` // of the one VM that was asked for
}

func (d *Diagnosis) look(area, saw string) { d.Looked = append(d.Looked, Look{area, saw}) }

func (d *Diagnosis) find(area string, s Severity, what, why, remedy string) {
	d.Findings = append(d.Findings, Finding{area, s, what, why, remedy})
}

// has says whether there is a finding in an area that is worse than a risk.
func (d *Diagnosis) has(area string, s Severity) bool {
	return slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Area == area && f.Severity == s })
}

// finish orders the findings, the worst first and otherwise as they were found.
func (d *Diagnosis) finish() {
	rank := map[Severity]int{Broken: 0, Unseen: 1, Risk: 2}
	slices.SortStableFunc(d.Findings, func(a, b Finding) int { return rank[a.Severity] - rank[b.Severity] })
	d.Healthy = len(d.Findings) == 0 && (d.Way == nil || d.Way.Ends == "")
	if d.Findings == nil {
		d.Findings = []Finding{}
	}
}
