package postgres

import "sessiondbd/internal/plan"

// Join puts two steps of one group and one database into one transaction.
func (s SQL) Join(next plan.Step) (plan.Step, bool) {
	n, ok := next.(SQL)
	if !ok || s.Group == "" || s.Group != n.Group || s.Where != n.Where || s.Alone || n.Alone || s.Sweep != n.Sweep || s.Replica != n.Replica {
		return nil, false
	}
	joined := s
	joined.Statements = append(append([]string(nil), s.Statements...), n.Statements...)
	joined.Secret = s.Secret || n.Secret
	joined.LockTimeout = max(s.LockTimeout, n.LockTimeout)
	joined.Label = s.Group
	return joined, true
}
