package role

import (
	"cmp"
	"slices"
	"strings"
)

// comment is what a COMMENT ON ROLE says.
type comment struct {
	Role    string `json:"role"`
	Comment string `json:"comment"`
}

// settingsRow is a row of pg_db_role_setting; no role: every role, no database: in all.
type settingsRow struct {
	Role     string   `json:"role"`
	Database string   `json:"database"`
	Settings []string `json:"settings"`
}

// named is a row of one name.
type named struct {
	Name string `json:"name"`
}

// mightyRow is who we are, or a superuser, or both.
type mightyRow struct {
	Name      string `json:"name"`
	Superuser bool   `json:"superuser"`
	Self      bool   `json:"self"`
}

func sortMighty(rows []mightyRow) (self []Server, superusers []superuser) {
	for _, r := range rows {
		if r.Self {
			self = append(self, Server{r.Name, r.Superuser})
		}
		if r.Superuser {
			superusers = append(superusers, superuser{r.Name})
		}
	}
	return self, superusers
}

func namesOf(list []named) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.Name
	}
	return names
}

// describe completes the roles: with what is said of them, and without what PostgreSQL writes for "for ever".
func (o *Observation) describe(comments []comment) {
	for i := range o.Roles {
		r := &o.Roles[i]
		if r.ValidUntil == "infinity" {
			r.ValidUntil = ""
		}
		for _, c := range comments {
			if c.Role == r.Name {
				r.Comment = c.Comment
			}
		}
	}
	slices.SortFunc(o.Roles, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
}

// distinct sorts memberships; PostgreSQL 16 keeps one a grantor and set of options.
func distinct(list []Membership) []Membership {
	slices.SortFunc(list, func(a, b Membership) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Member, b.Member), strings.Compare(a.Grantor, b.Grantor))
	})
	return slices.Compact(list)
}

func settingsOf(rows []settingsRow) []Setting {
	all := []Setting{}
	for _, r := range rows {
		for _, s := range r.Settings {
			all = append(all, Setting{r.Role, r.Database, s})
		}
	}
	slices.SortFunc(all, func(a, b Setting) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Database, b.Database), strings.Compare(a.Setting, b.Setting))
	})
	return all
}

// compareAhead begins to compare the stored verifiers with the passwords that a diff will ask for. Each comparison is
// 4096 rounds of HMAC.
func (w Want) compareAhead(stored []Verifier) {
	for _, v := range stored {
		for _, s := range w.Roles {
			password := cmp.Or(s.Password.Enforced, s.Password.Initial)
			if s.Name == v.Role && s.Password.Managed && password != "" && v.Stored != "" {
				w.Cache.compareAhead(string(v.Stored), string(password))
			}
		}
	}
}
