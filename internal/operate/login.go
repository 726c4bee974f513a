package operate

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/role"
	"sessiondbd/internal/server"
)

// listener is PostgreSQL at the gateway.
func (c *Case) listener(w *Way, n firewall.Network) {
	at := fmt.Sprintf("%s:%d", n.Gateway, c.Spec.Port)
	remedy := fmt.Sprintf("sudo sessiondbd plan --only database; sudo ss -ltnp 'sport = :%d'", c.Spec.Port)
	if c.down() {
		remedy = c.revive()
	}
	switch err, called := c.Answers[n.Gateway]; {
	case !called:
		w.add("listener", NotSeen, at+" is not there to be called", remedy)
	case c.unheard(n.Gateway):
		w.add("listener", Doubt, fmt.Sprintf("PostgreSQL listens at %s; a call of this host's own is dropped on the loopback, where the VM does not come", at),
			"sudo nft list ruleset    # which rule of others drops it; to have it tested from here, accept iifname lo there")
	case err != nil:
		w.add("listener", Ends, fmt.Sprintf("PostgreSQL does not answer at %s: %v", at, err), remedy)
	default:
		w.add("listener", Passes, "PostgreSQL answers at "+at, "")
	}
}

// login is what PostgreSQL asks of one role: the line of pg_hba.conf, the role, its password, its connections.
func (c *Case) login(w *Way, j server.Judgement) {
	apply := "sudo sessiondbd apply --only database    # first, to see every line: sudo sessiondbd plan"
	switch {
	case !j.Served:
		w.add(AreaHBA, Ends, j.Role+": "+j.Cause, apply)
	case j.Cause != "":
		w.add(AreaHBA, Doubt, j.Role+": "+j.Line+"; "+j.Cause, apply)
	default:
		w.add(AreaHBA, Passes, j.Role+": "+j.Line, "")
	}
	r, exists := c.Roles.Find(j.Role)
	switch {
	case !exists:
		w.add("role", Ends, j.Role+" does not exist", apply)
		return
	case r.Expired:
		w.add("role", Ends, j.Role+" has expired, at "+r.ValidUntil, fmt.Sprintf(`sudo -u postgres psql -c "ALTER ROLE \"%s\" VALID UNTIL 'infinity'"`, j.Role))
	case !r.Login:
		w.add("role", Ends, j.Role+" may not log in (NOLOGIN)", fmt.Sprintf(`sudo -u postgres psql -c 'ALTER ROLE "%s" LOGIN'`, j.Role))
	default:
		w.add("role", Passes, j.Role+" may log in", "")
	}
	c.password(w, j.Role)
	used := c.used(j.Role)
	saw := fmt.Sprintf("%s uses %d connections, without a limit", j.Role, used)
	if r.ConnectionLimit >= 0 {
		saw = fmt.Sprintf("%s uses %d of %d", j.Role, used, r.ConnectionLimit)
	}
	switch what, _, remedy := c.full(); {
	case what != "":
		w.add("connections", Ends, what, remedy)
	case r.ConnectionLimit >= 0 && used >= r.ConnectionLimit:
		w.add("connections", Ends, saw, "sudo sessiondbd status --sessions    # from where; roles[].connection_limit in the config")
	default:
		w.add("connections", Passes, saw, "")
	}
	what, settle := c.refused()
	table := slices.ContainsFunc(c.Roles.Objects, func(e role.Entry) bool { return e.Kind == "table" })
	switch {
	case what != "" && (c.Schema == 0 || !table):
		w.add("schema", Ends, what, settle)
	case c.Schema == 0:
		w.add("schema", Ends, "there is no schema that sessiondbd knows", apply)
	case what != "":
		w.add("schema", Doubt, what, settle)
	default:
		w.add("schema", Passes, fmt.Sprintf("%04d", c.Schema), "")
	}
	if table {
		c.rights(w, j.Role, apply)
	}
}

// rights are what the role lacks of what its access level includes: a pass would grant it, and neither PUBLIC nor another grantor has.
func (c *Case) rights(w *Way, name, apply string) {
	var lacks []string
	for _, ch := range c.DatabasePlan.Report().Changes {
		if ch.Resource == "grants/"+name && ch.Action == plan.Create && !c.granted(name, ch.Field) {
			lacks = append(lacks, ch.Field)
		}
	}
	if len(lacks) > 0 {
		w.add("rights", Ends, name+" lacks "+strings.Join(lacks, ", "), apply)
	} else {
		w.add("rights", Passes, name+" has what its access level includes", "")
	}
}

// granted says whether a right stands although the plan has a grant of it: from somebody else than the owner, or to everybody.
func (c *Case) granted(name, field string) bool {
	return slices.ContainsFunc(slices.Concat(c.Roles.Database, c.Roles.Objects), func(e role.Entry) bool {
		on := e.Kind + " " + e.Name
		if e.Kind == "table" {
			on = e.Name
		}
		return (e.Grantee == name || e.Grantee == "") && e.Column == "" && field == e.Privilege+" on "+on
	})
}

// refused is what keeps the database or its table from being made or mended; empty: nothing.
func (c *Case) refused() (what, remedy string) {
	for _, r := range c.DatabasePlan.Report().Refusals {
		if r.Resource == "database/"+c.ServerWant.Database || r.Resource == "schema/session" {
			return r.Resource + ": " + r.Summary, r.Remedy
		}
	}
	return "", ""
}

// password says what the VM has to know, as far as that can be told.
func (c *Case) password(w *Way, name string) {
	state := c.RoleWant.PasswordState(c.Roles, name)
	saw := name + ": " + string(state)
	switch state {
	case role.PasswordNone, role.PasswordForeign:
		w.add("password", Ends, saw, "sudo sessiondbd plan --only database    # names the command")
	case role.PasswordDiffers:
		w.add("password", Ends, saw, "sudo sessiondbd apply --only database")
	case role.PasswordDocumented, role.PasswordInitial:
		w.add("password", Doubt, saw+": whoever knows it gets in from a VM", "sudo sessiondbd plan --only database    # names the command that replaces it")
	case role.PasswordUnknown:
		w.add("password", Doubt, saw+": the VM has to have the same", "give it a known one: roles[].password in the config")
	default:
		w.add("password", Passes, saw, "")
	}
}
