package role

import (
	"slices"
	"strconv"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// halfMade marks a role that we created and that does not log in yet: its grants are missing. An administrator's NOLOGIN
// has no such mark.
const halfMade = "sessiondbd made this role; LOGIN follows once its grants are in place"

// group has consecutive changes share one transaction, so that nobody who has a right before and after ever lacks it.
const group = "access"

func access(statements ...string) postgres.SQL {
	return postgres.SQL{Where: postgres.Session, Group: group, Statements: statements}
}

// Access compares the declared roles and all rights in the session database. The door is opened last: a role that is to be
// made comes without LOGIN, then what everybody and each role may do, then password and LOGIN of the new ones.
func Access(want Want, have Observation) []plan.Resource {
	if len(have.Server) != 1 {
		return nil // nothing was observed; the plan says so
	}
	d := newDiffer(want, have)
	var roles, grants, doors []plan.Resource
	for _, s := range want.Roles {
		r := d.role(s)
		roles = append(roles, r)
		if len(r.Refusals) > 0 {
			continue
		}
		grants = append(grants, d.grants(s))
		switch door := d.door(s); {
		case len(door.Changes)+len(door.Refusals) > 0:
			doors = append(doors, door)
		default: // nothing that has to come later
			roles[len(roles)-1].Warnings = append(r.Warnings, door.Warnings...)
		}
	}
	if have.Err() != nil {
		return roles
	}
	// What a role got from another goes before the other's right to give it.
	slices.SortStableFunc(grants, func(a, b plan.Resource) int { return d.foreign(b.Name) - d.foreign(a.Name) })
	kept, public := d.keepSignallers(), d.everybody()
	for _, r := range kept {
		public.Needs = append(public.Needs, r.Name)
	}
	list := append(append(roles, kept...), public)
	list = append(list, grants...)
	list = append(list, d.others()...)
	list = append(list, d.former()...)
	list = append(list, d.surroundings()...)
	return append(list, doors...)
}

// differ compares one observation with what is wanted.
type differ struct {
	want    Want
	have    Observation
	entries []Entry // the rights as they will stand once database and objects have their owner
}

func newDiffer(want Want, have Observation) *differ {
	d := &differ{want: want, have: have}
	d.entries = d.settle()
	return d
}

func (d *differ) me() string { return d.have.Server[0].User }

// refused adds the refusal of a role that is not ours to change.
func (d *differ) refused(r *plan.Resource, now Role) bool {
	name := strings.TrimPrefix(r.Name, "role/")
	switch {
	case d.have.Err() != nil:
		r.Refuse(d.me()+", as whom sessiondbd is connected, is no superuser: it may neither read nor write roles", "run it as root, which switches to database.os_user, or give database.url a superuser")
	case name == d.me() || now.Bootstrap:
		r.Refuse(name+" is the administrator: sessiondbd would take its own rights away", "name another role in the config")
	default:
		return false
	}
	return true
}

// role compares what a declared role is; one that is not there is made without LOGIN.
func (d *differ) role(s Spec) plan.Resource {
	r := plan.Resource{Name: "role/" + s.Name, Needs: []string{"database/" + d.want.Database}}
	name := postgres.QuoteIdent(s.Name)
	now, there := d.have.find(s.Name)
	switch {
	case d.refused(&r, now):
	case s.Name == d.want.Owner:
		r.Refuse(s.Name+" owns the database: nobody logs in as it", "name another role in the config")
	case !there:
		r.Add(plan.Create, "role", "", "NOLOGIN, connection limit "+limit(s.ConnectionLimit), "declared in the config; it has no rights but those of its access level",
			access("CREATE ROLE "+name+" NOLOGIN CONNECTION LIMIT "+strconv.Itoa(s.ConnectionLimit),
				"COMMENT ON ROLE "+name+" IS "+postgres.QuoteLiteral(halfMade)))
		d.settings(&r, s)
	default:
		d.attributes(&r, now, access)
		if now.ConnectionLimit != s.ConnectionLimit {
			r.Add(plan.Update, "connection limit", limit(now.ConnectionLimit), limit(s.ConnectionLimit), "leaves slots for the other roles and for administrators",
				access("ALTER ROLE "+name+" CONNECTION LIMIT "+strconv.Itoa(s.ConnectionLimit)))
		}
		d.expiry(&r, now)
		d.memberships(&r, s.Name, access)
		d.settings(&r, s)
		if !now.Login && now.Comment != halfMade {
			r.Warn("it may not log in: an administrator's NOLOGIN is left as it is", d.psql("ALTER ROLE "+name+" LOGIN"))
		}
		d.members(&r, s.Name, "and so has its rights on the session table")
	}
	return r
}

// door compares what lets a declared role in: its password, and LOGIN of one that we made. It is the same resource again,
// because it comes after the grants.
func (d *differ) door(s Spec) plan.Resource {
	r := plan.Resource{Name: "role/" + s.Name, Needs: []string{"database/" + d.want.Database}}
	d.password(&r, s)
	if len(r.Refusals) > 0 {
		return r // a new role does not log in before its password is right
	}
	if now, there := d.have.find(s.Name); !there || !now.Login && now.Comment == halfMade {
		r.Needs = append(r.Needs, "grants/"+s.Name)
		name := postgres.QuoteIdent(s.Name)
		r.Add(plan.Update, "LOGIN", "no", "yes", "last, when everything else of it is as declared",
			access("ALTER ROLE "+name+" LOGIN", "COMMENT ON ROLE "+name+" IS NULL"))
	}
	return r
}

// expiry compares until when a role's password is good.
func (d *differ) expiry(r *plan.Resource, now Role) {
	if now.ValidUntil == "" {
		return
	}
	why := "from then on no VM could log in; the config declares no expiry"
	if now.Expired {
		why = "it has expired, and no VM can log in; the config declares no expiry"
	}
	r.Add(plan.Update, "valid until", now.ValidUntil, "infinity", why, access("ALTER ROLE "+postgres.QuoteIdent(now.Name)+" VALID UNTIL 'infinity'"))
}

func limit(n int) string {
	if n < 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

// psql is the command that runs a statement in the session database.
func (d *differ) psql(statement string) string {
	return "sudo -u postgres psql -d " + shell(d.want.Database) + " -c " + shell(statement)
}

// shell quotes a word for a POSIX shell where that is needed.
func shell(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
