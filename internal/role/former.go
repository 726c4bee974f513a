package role

import (
	"slices"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// Former is a role that the config once declared.
type Former struct {
	Name  string `json:"name"`
	Login bool   `json:"login"`
}

// marked lists who bears our mark and is declared no longer.
func (o Observation) marked(w Want) []string {
	var names []string
	for _, s := range o.Settings {
		if s.Role != "" && s.Database == w.Database && strings.HasPrefix(s.Setting, mark.Name+"=") && !w.declares(s.Role) {
			names = append(names, s.Role)
		}
	}
	return names
}

// former warns about roles that left the config: nobody said that who uses them is to be shut out.
func (d *differ) former() []plan.Resource {
	var list []plan.Resource
	for _, f := range d.have.Former {
		r := plan.Resource{Name: "role/" + f.Name}
		name := postgres.QuoteIdent(f.Name)
		can := "it may log in and"
		if !f.Login {
			can = "it may not log in, but"
		}
		r.Warn("the config no longer declares it: "+can+" keeps its rights, and nothing of it is looked after",
			"to drop it, its objects becoming the owner's: "+d.psql("REASSIGN OWNED BY "+name+" TO "+postgres.QuoteIdent(d.want.Owner)+"; DROP OWNED BY "+name+"; DROP ROLE "+name)+
				"\nto lock it: "+d.psql("ALTER ROLE "+name+" NOLOGIN")+
				"\nto keep it as a role of your own: "+d.psql(scope(f.Name, d.want.Database)+" RESET "+postgres.QuoteIdent(mark.Name)))
		list = append(list, r)
	}
	return list
}

// among keeps those that are marked.
func among(list []Former, names []string) []Former {
	return slices.DeleteFunc(list, func(f Former) bool { return !slices.Contains(names, f.Name) })
}
