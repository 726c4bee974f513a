package postgres

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// scan puts rows in text format into a slice of structs, whose json tags name the columns. NULL is the zero value. An
// error means that query and struct do not belong together.
func scan(into any, columns []pgconn.FieldDescription, rows [][][]byte) error {
	list := reflect.ValueOf(into).Elem()
	fields, err := fieldsOf(list.Type().Elem(), columns)
	if err != nil {
		return err
	}
	all := reflect.MakeSlice(list.Type(), len(rows), len(rows))
	for i, row := range rows {
		for j, text := range row {
			if text == nil {
				continue
			}
			if err := set(all.Index(i).Field(fields[j]), string(text)); err != nil {
				return fmt.Errorf("column %s: %w", columns[j].Name, err)
			}
		}
	}
	list.Set(all)
	return nil
}

// fieldsOf finds the field of each column.
func fieldsOf(row reflect.Type, columns []pgconn.FieldDescription) ([]int, error) {
	fields := make([]int, len(columns))
	for i, c := range columns {
		at := 0
		for at < row.NumField() && column(row.Field(at)) != c.Name {
			at++
		}
		if at == row.NumField() {
			return nil, fmt.Errorf("column %s: %s has no such field", c.Name, row)
		}
		fields[i] = at
	}
	return fields, nil
}

// column is the name in a field's tag, which may go on with options of encoding/json.
func column(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func set(field reflect.Value, text string) error {
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		field.SetBool(text == "t")
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		field.SetInt(n)
	case reflect.Uint32:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return err
		}
		field.SetUint(n)
	case reflect.Slice:
		list, err := array(text)
		if err != nil {
			return err
		}
		field.Set(reflect.ValueOf(list).Convert(field.Type()))
	default:
		return fmt.Errorf("a %s cannot hold it", field.Type())
	}
	return nil
}

// array reads a one-dimensional array as PostgreSQL writes it (manual, 8.15.6). NULL becomes the empty string.
func array(text string) ([]string, error) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, fmt.Errorf("%q is no array", text)
	}
	inner := text[1 : len(text)-1]
	list := []string{}
	var one strings.Builder
	quoted, was := false, false // inside quotes; the element had some
	for i := 0; i <= len(inner) && inner != ""; i++ {
		switch {
		case i == len(inner) || inner[i] == ',' && !quoted:
			if !was && one.String() == "NULL" {
				one.Reset()
			}
			list = append(list, one.String())
			one.Reset()
			was = false
		case inner[i] == '"':
			quoted, was = !quoted, true
		case inner[i] == '\\' && i+1 < len(inner):
			i++
			one.WriteByte(inner[i])
		default:
			one.WriteByte(inner[i])
		}
	}
	return list, nil
}

// Array writes texts as an array parameter.
func Array(list []string) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + quote.Replace(s) + `"`)
	}
	return "{" + b.String() + "}"
}

// Timestamp reads a time as PostgreSQL writes it in DateStyle ISO, which our connections have.
func Timestamp(text string) (time.Time, bool) {
	text = strings.Trim(text, `"`)
	for _, zone := range []string{"-07", "-07:00", "-07:00:00"} {
		if t, err := time.Parse("2006-01-02 15:04:05.999999"+zone, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
