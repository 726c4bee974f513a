package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsPrintNowhere(t *testing.T) {
	const password = "s3cr3t"
	c := Default()
	c.Database.URL = "host=h password=" + password
	c.Roles[0].Password.Initial = password
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed[verb] = fmt.Sprintf(verb+" "+verb+" "+verb, c, c.Roles[0].Password, c.Roles[0].Password.Initial)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed["json"] = string(asJSON)
	printed["Show"] = string(show(t, c))
	for name, h := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(h(&b)).Info("config", "config", c, "password", c.Roles[0].Password.Initial, "url", c.Database.URL)
		printed[name] = b.String()
	}
	for how, s := range printed {
		if strings.Contains(s, password) || strings.Contains(s, fmt.Sprintf("%x", password)) {
			t.Errorf("%s prints the secret: %s", how, s)
		}
	}
	if !strings.Contains(printed["json"], `"Initial":"(hidden)"`) {
		t.Errorf("json does not say that something is hidden: %s", printed["json"])
	}
	if got := c.Roles[0].Password.Initial.Reveal() + c.Database.URL.Reveal(); got != password+"host=h password="+password {
		t.Errorf("Reveal gives %q", got)
	}
}

func TestConnStringHidesPasswords(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"host=/run/postgresql dbname=postgres", "host=/run/postgresql dbname=postgres"},
		{"host=h password=pw user=u", "host=h password=(hidden) user=u"},
		{"password = 'a \\' b' host=h", "password = (hidden) host=h"},
		{"PASSWORD=pw", "PASSWORD=(hidden)"},
		{`password=a\ b\`, "password=(hidden)"},
		{"sslpassword=pw sslkey=k", "sslpassword=(hidden) sslkey=k"},
		{"application_name='x password=1' host=h", "application_name='x password=1' host=h"},
		{"password='open", "password=(hidden)"},
		{"postgres://h/db", "postgres://h/db"},
		{"postgres://u@h:5432/db", "postgres://u@h:5432/db"},
		{"postgres://u:pw@h:5432/db", "postgres://u:(hidden)@h:5432/db"},
		{"postgresql://u:p/w@x@h/db", "postgresql://u:(hidden)@h/db"},
		{"postgres://:pw@h1:1,h2:2/db", "postgres://:(hidden)@h1:1,h2:2/db"},
		{"postgres://h/db?user=u&password=pw&sslmode=require", "postgres://h/db?user=u&password=(hidden)&sslmode=require"},
		{"postgres://h/db?sslpassword=pw", "postgres://h/db?sslpassword=(hidden)"},
	} {
		if got := ConnString(c.in).String(); got != c.want {
			t.Errorf("%s prints as %s, want %s", c.in, got, c.want)
		}
	}
}

// Every way to write a password wrongly that we know of: none may be repeated in an error.
func TestErrorsRepeatNoPassword(t *testing.T) {
	for _, in := range []string{
		"roles: [{name: a, password: s3cr3t}]",
		"roles: [{name: a, password: [s3cr3t]}]",
		"roles: [{name: a, password: {initial:s3cr3t}}]",
		"roles: [{name: a, password: {initail: s3cr3t}}]",
		"roles: [{name: a, password: {s3cr3t: }}]",
		"roles: [{name: a, initial:s3cr3t}]",
		"roles: [{name: a, pasword: s3cr3t}]",
		"roles: [{name: a, password: {initial: [s3cr3t]}}]",
		"roles: [{name: a, password: {initial: {s3cr3t: 1}}}]",
		"roles: [{name: a, password: {initial: *s3cr3t}}]",
		"roles: [{name: a, password: {initial: &s3cr3t}}]",
		"roles: [{name: a, password: {initial: !s3cr3t}}]",
		"roles: [{name: a, password: {initial: !!s3cr3t}}]",
		"roles: [{name: a, password: {initial: 's3cr3té'}}]",
		"roles: [{name: a, password: {initial: 's3cr3t}}]",
		"roles: [{name: a, password: {initial: \"s3cr3t\\q\"}}]",
		"roles: [{name: a, password: {initial: @s3cr3t}}]",
		"roles: [{name: a, password: {initial: %s3cr3t}}]",
		"roles:\n- name: a\n  password:\n    initial: s3cr3t: x",
		"roles:\n- name: a\n  password:\n    initial: |s3cr3t",
		"roles: [{name: a, password: {initial: 'SCRAM-SHA-256$s3cr3t'}}]",
		"roles: [{name: a, password: {credential: 's3cr3t with spaces'}}]",
		"roles: [{name: a, password: {credential: 's3cr3t/x'}}]",
		"roles: [{name: a, password: {file: 's3cr3t/'}}]",
		"roles: [{name: a, password: {file: a, credential: s3cr3t}}]",
		"database: {url: s3cr3t}",
		"database: {url: 'postgres://u:s3cr3t@h\\n'}\nx: 1",
		"database: {url: \"postgres://u:s3cr3t@h\\n\"}",
		"database: {url:postgres://u:s3cr3t@h}",
		"url: postgres://u:s3cr3t@h",
	} {
		_, err := Parse("c.yaml", []byte(in))
		var errs Errors
		if !errors.As(err, &errs) {
			t.Errorf("%s: accepted, or no Errors: %v", in, err)
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error repeats the secret:\n%v", in, err)
		}
	}
}
