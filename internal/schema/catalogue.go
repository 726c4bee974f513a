package schema

import "slices"

// Catalogue is the part of the system catalogues that is ours, as PostgreSQL prints it with search_path pg_catalog.
type Catalogue struct {
	Enums       []Enum       `json:"enums"`
	Tables      []Table      `json:"tables"`
	Columns     []Column     `json:"columns"`
	Constraints []Constraint `json:"constraints"`
	Indexes     []Index      `json:"indexes"`
	Functions   []Function   `json:"functions"`
	Triggers    []Trigger    `json:"triggers"`
}

// Enum is a row of pg_type, with the labels of pg_enum in their order. Kind is typtype; an enum's is "e".
type Enum struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Owner  string   `json:"owner"`
	Labels []string `json:"labels"`
}

// Table is a row of pg_class. Kind is relkind (an ordinary table's is "r"), Persistence relpersistence ("p": permanent).
type Table struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Persistence string `json:"persistence"`
	Owner       string `json:"owner"`
	RowSecurity bool   `json:"row_security"`
}

// Column is a row of pg_attribute. Default is empty where there is none.
type Column struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	NotNull   bool   `json:"not_null"`
	Default   string `json:"default"`
	Generated string `json:"generated"` // attgenerated or attidentity
}

// Constraint is a row of pg_constraint. Of the NOT NULL ones, which PostgreSQL 18 keeps there, only those that are not valid:
// the others are the column's. Off says that it is a foreign key some of whose triggers do not fire: PostgreSQL goes on to call it
// valid.
type Constraint struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	Validated  bool   `json:"validated"`
	Off        bool   `json:"off,omitempty"`
}

// Index is a row of pg_index. Constraint marks the index of a constraint, which comes and goes with that.
type Index struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	Valid      bool   `json:"valid"` // indisvalid and indisready
	Constraint bool   `json:"constraint"`
	Building   bool   `json:"building,omitempty"` // somebody is building it right now
}

// Function is a row of pg_proc; the definition is pg_get_functiondef's, settings and body included.
type Function struct {
	Name       string `json:"name"`
	Owner      string `json:"owner"`
	Definition string `json:"definition"`
	Shared     bool   `json:"shared,omitempty"` // triggers of other tables call it, too
}

// Trigger is a row of pg_trigger. Enabled is tgenabled; "O" is the usual state.
type Trigger struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	Enabled    string `json:"enabled"`
}

// Has says whether an object, spelt as in a migration's `creates` line, is there.
func (c Catalogue) Has(object string) bool {
	return slices.Contains(c.objects(), object)
}

func (c Catalogue) objects() []string {
	var all []string
	for _, o := range c.Enums {
		all = append(all, "type "+o.Name)
	}
	for _, o := range c.Tables {
		all = append(all, "table "+o.Name)
	}
	for _, o := range c.Indexes {
		all = append(all, "index "+o.Name)
	}
	for _, o := range c.Functions {
		all = append(all, "function "+o.Name)
	}
	for _, o := range c.Triggers {
		all = append(all, "trigger "+o.Name)
	}
	return all
}

// find returns the element of that name, or nil.
func find[T any](list []T, name string, of func(T) string) *T {
	if i := slices.IndexFunc(list, func(e T) bool { return of(e) == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

func (e Enum) id() string       { return e.Name }
func (e Table) id() string      { return e.Name }
func (e Column) id() string     { return e.Name }
func (e Constraint) id() string { return e.Name }
func (e Index) id() string      { return e.Name }
func (e Function) id() string   { return e.Name }
func (e Trigger) id() string    { return e.Name }
