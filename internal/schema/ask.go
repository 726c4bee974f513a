package schema

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sessiondbd/internal/postgres"
)

// catalogueQueries asks for the catalogue. On a backend that has just been forked most of the time goes into the first use
// of each catalogue, function and kind of join; so the questions are plain scans, and what belongs together is joined here.
func catalogueQueries(want Catalogue, o *Observation) []postgres.Query {
	c := &o.Catalogue
	q := func(name string, into any, then func(), sql string, args ...string) postgres.Query {
		return postgres.Query{Name: name, Into: into, Then: then, Session: true, Durable: true, SQL: sql, Args: args}
	}
	var types []enumRow
	var labels []labelRow
	var columns []columnRow
	var defaults []defaultRow
	var constraints []constraintRow
	var indexes []indexRow
	var triggers []triggerRow
	return []postgres.Query{
		q("the types", &types, nil, `SELECT oid, typname AS name, typtype AS kind, pg_get_userbyid(typowner) AS owner
			FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname = ANY ($1::name[])`, names(want.Enums, Enum.id)),
		q("their labels", &labels, func() { c.Enums = enumsOf(types, labels) }, `SELECT enumtypid AS type, enumlabel AS label, enumsortorder AS place
			FROM pg_enum`),
		q("the tables", &c.Tables, func() { byName(c.Tables, Table.id) }, `SELECT relname AS name, relkind AS kind, relpersistence AS persistence,
			pg_get_userbyid(relowner) AS owner, relrowsecurity AS row_security
			FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1::name[])`, names(want.Tables, Table.id)),
		q("the columns", &columns, nil, `SELECT attnum AS number, attname AS name, format_type(atttypid, atttypmod) AS type,
			attnotnull AS not_null, attgenerated AS generated, attidentity AS identity
			FROM pg_attribute WHERE attrelid = to_regclass('public.session') AND attnum > 0 AND NOT attisdropped`),
		// Only the expression of a generated column needs the table, and with it the table's lock.
		q("their defaults", &defaults, nil, `SELECT d.adnum AS number,
			pg_get_expr(d.adbin, CASE a.attgenerated WHEN '' THEN 0 ELSE d.adrelid END) AS default
			FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
			WHERE d.adrelid = to_regclass('public.session')`),
		q("the constraints", &constraints, nil, `SELECT oid, conname AS name, contype AS kind, conindid AS index, conkey AS columns,
			CASE contype WHEN 'c' THEN '' ELSE pg_get_constraintdef(oid) END AS definition, convalidated AS validated
			FROM pg_constraint WHERE conrelid = to_regclass('public.session')`),
		q("the indexes", &indexes, nil,
			`SELECT i.indexrelid AS oid, c.relname AS name, i.indisvalid AS valid, i.indisready AS ready
			FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('public.session')`),
		q("the functions", &c.Functions, func() { functionsOf(c.Functions) }, `SELECT proname AS name, pg_get_userbyid(proowner) AS owner,
			pg_get_functiondef(oid) AS definition, EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = pg_proc.oid
				AND t.tgrelid IS DISTINCT FROM to_regclass('public.session')) AS shared
			FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY ($1::name[])
			AND pronargs = 0 AND prokind = 'f'`, names(want.Functions, func(f Function) string { return strings.TrimSuffix(f.Name, "()") })),
		// Those of foreign keys are PostgreSQL's own; of them only whether they fire is asked.
		q("the triggers", &triggers, func() {
			c.Columns, c.Constraints, c.Indexes = columnsOf(columns, defaults, constraints), constraintsOf(constraints, triggers), indexesOf(indexes, constraints)
			c.Triggers = triggersOf(triggers)
		}, `SELECT tgname AS name, tgconstraint AS constraint, tgisinternal AS internal, tgenabled AS enabled,
			CASE WHEN NOT tgisinternal THEN pg_get_triggerdef(oid) END AS definition FROM pg_trigger WHERE tgrelid = to_regclass('public.session')`),
		definitionQuery(o),
		buildingQuery(o),
		checkQuery(o),
	}
}

func names[T any](list []T, of func(T) string) string {
	var all []string
	for _, e := range list {
		all = append(all, of(e))
	}
	return postgres.Array(all)
}

func byName[T any](list []T, of func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(of(a), of(b)) })
}

// The rows as the catalogues hold them.
type (
	enumRow struct {
		OID   string `json:"oid"`
		Name  string `json:"name"`
		Kind  string `json:"kind"`
		Owner string `json:"owner"`
	}
	labelRow struct {
		Type  string `json:"type"`
		Label string `json:"label"`
		Place string `json:"place"` // a float4
	}
	columnRow struct {
		Number    int    `json:"number"`
		Name      string `json:"name"`
		Type      string `json:"type"`
		NotNull   bool   `json:"not_null"`
		Generated string `json:"generated"`
		Identity  string `json:"identity"`
	}
	defaultRow struct {
		Number  int    `json:"number"`
		Default string `json:"default"`
	}
	constraintRow struct {
		OID        string   `json:"oid"`
		Name       string   `json:"name"`
		Kind       string   `json:"kind"`
		Index      string   `json:"index"`
		Columns    []string `json:"columns"` // their numbers
		Definition string   `json:"definition"`
		Validated  bool     `json:"validated"`
	}
	triggerRow struct {
		Name       string `json:"name"`
		Definition string `json:"definition"`
		Enabled    string `json:"enabled"`
		Constraint string `json:"constraint"` // an OID
		Internal   bool   `json:"internal"`
	}
	indexRow struct {
		OID   string `json:"oid"`
		Name  string `json:"name"`
		Valid bool   `json:"valid"`
		Ready bool   `json:"ready"`
	}
)

// place is where the label stands among those of its type.
func (l labelRow) place() float64 {
	f, _ := strconv.ParseFloat(l.Place, 32) // it is one
	return f
}

func enumsOf(types []enumRow, labels []labelRow) []Enum {
	all := []Enum{}
	slices.SortStableFunc(labels, func(a, b labelRow) int { return cmp.Compare(a.place(), b.place()) })
	for _, t := range types {
		e := Enum{Name: t.Name, Kind: t.Kind, Owner: t.Owner, Labels: []string{}}
		for _, l := range labels {
			if l.Type == t.OID {
				e.Labels = append(e.Labels, l.Label)
			}
		}
		all = append(all, e)
	}
	byName(all, Enum.id)
	return all
}

// columnsOf counts a column as NOT NULL only where no row can lack it: PostgreSQL 18 has constraints for it that are not valid.
func columnsOf(rows []columnRow, defaults []defaultRow, constraints []constraintRow) []Column {
	slices.SortFunc(rows, func(a, b columnRow) int { return cmp.Compare(a.Number, b.Number) })
	all := []Column{}
	for _, r := range rows {
		c := Column{Name: r.Name, Type: r.Type, NotNull: r.NotNull, Generated: r.Generated + r.Identity}
		for _, k := range constraints {
			if k.Kind == "n" && !k.Validated && slices.Contains(k.Columns, strconv.Itoa(r.Number)) {
				c.NotNull = false
			}
		}
		for _, d := range defaults {
			if d.Number == r.Number {
				c.Default = d.Default
			}
		}
		all = append(all, c)
	}
	return all
}

// constraintsOf leaves out the valid NOT NULL ones that PostgreSQL 18 keeps there: they are the columns'.
func constraintsOf(rows []constraintRow, triggers []triggerRow) []Constraint {
	all := []Constraint{}
	for _, r := range rows {
		if r.Kind != "n" || !r.Validated {
			all = append(all, Constraint{Name: r.Name, Definition: r.Definition, Validated: r.Validated, Off: slices.ContainsFunc(triggers, func(t triggerRow) bool {
				return t.Constraint == r.OID && !t.fires()
			})})
		}
	}
	byName(all, Constraint.id)
	return all
}

// fires says whether it does for whoever writes here (pg_trigger.tgenabled).
func (t triggerRow) fires() bool { return t.Enabled == "O" || t.Enabled == "A" }

func triggersOf(rows []triggerRow) []Trigger {
	all := []Trigger{}
	for _, r := range rows {
		if !r.Internal {
			all = append(all, Trigger{r.Name, r.Definition, r.Enabled})
		}
	}
	byName(all, Trigger.id)
	return all
}

func indexesOf(rows []indexRow, constraints []constraintRow) []Index {
	all := []Index{}
	for _, r := range rows {
		all = append(all, Index{Name: r.Name, Valid: r.Valid && r.Ready, Constraint: slices.ContainsFunc(constraints, func(c constraintRow) bool {
			return c.Index == r.OID && strings.Contains("pux", c.Kind)
		})})
	}
	byName(all, Index.id)
	return all
}

func functionsOf(list []Function) {
	for i := range list {
		list[i].Name += "()"
	}
	byName(list, Function.id)
}
