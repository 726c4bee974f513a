package role

import (
	"slices"
	"strings"
)

// change is what a row does to what is declared or observed.
type change func(*Want, *Observation)

func nothing(*Want, *Observation) {}

// user changes the declared role as the server has it.
func user(f func(*Role)) change { return func(_ *Want, o *Observation) { f(&o.Roles[1]) } }

// spec changes the declared role as the config has it.
func spec(f func(*Spec)) change { return func(w *Want, _ *Observation) { f(&w.Roles[0]) } }

// password sets the config's sources, and what is stored.
func password(enforced, initial, in Secret) change {
	return func(w *Want, o *Observation) {
		w.Roles[0].Password.Enforced, w.Roles[0].Password.Initial = enforced, initial
		o.Verifiers[1].Stored = in
	}
}

// granted adds rights to what the server has.
func granted(kind, name, owner, grantee string, privileges ...string) change {
	return func(_ *Want, o *Observation) { add(o, acl(kind, name, owner, grantee, privileges...)...) }
}

func add(o *Observation, list ...Entry) {
	for _, e := range list {
		if e.Kind == "database" {
			o.Database = append(o.Database, e)
		} else {
			o.Objects = append(o.Objects, e)
		}
	}
}

// lacking takes a right from what the server has.
func lacking(kind, grantee, privilege string) change {
	return func(_ *Want, o *Observation) {
		drop := func(e Entry) bool { return e.Kind == kind && e.Grantee == grantee && e.Privilege == privilege }
		o.Database, o.Objects = slices.DeleteFunc(o.Database, drop), slices.DeleteFunc(o.Objects, drop)
	}
}

// each changes entries of what the server has.
func each(f func(*Entry)) change {
	return func(_ *Want, o *Observation) {
		for i := range o.Database {
			f(&o.Database[i])
		}
		for i := range o.Objects {
			f(&o.Objects[i])
		}
	}
}

func setting(role, database, text string) change {
	return func(_ *Want, o *Observation) { o.Settings = append(o.Settings, Setting{role, database, text}) }
}

// without takes the setting of a role away.
func without(name string) change {
	return func(_ *Want, o *Observation) {
		o.Settings = slices.DeleteFunc(o.Settings, func(s Setting) bool { return strings.HasPrefix(s.Setting, name+"=") })
	}
}

// membership is one as up to PostgreSQL 15.
func membership(role, member string) change {
	return member16(Membership{role, member, "postgres", false, false, false}, 150018)
}

func member16(m Membership, version int) change {
	return func(_ *Want, o *Observation) { o.Members, o.Version = append(o.Members, m), version }
}

// second declares a role that reads only, and has the server have it.
func second(w *Want, o *Observation) {
	w.Roles = append(w.Roles, Spec{Name: "reader", Access: ReadOnly, ConnectionLimit: -1})
	o.Roles = append(o.Roles, Role{Name: "reader", Inherit: true, Login: true, ConnectionLimit: -1})
	o.Settings = append(o.Settings, Setting{"reader", "sessiondb", "sessiondbd.declared=yes"})
	add(o, slices.Concat(acl("database", "sessiondb", own, "reader", "CONNECT"), acl("schema", "public", pgDatabaseOwner, "reader", "USAGE"),
		acl("table", session, own, "reader", "SELECT"))...)
}

func all(list ...change) change {
	return func(w *Want, o *Observation) {
		for _, c := range list {
			c(w, o)
		}
	}
}
