package role

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// rfc7677 is the exchange of RFC 7677, section 3: user "user", password "pencil".
var rfc7677 = struct{ salt, authMessage, proof, signature string }{
	salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
	authMessage: "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	proof:     "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The RFC gives no verifier, but what a server computes from one: its signature, and from the client's proof the client key.
func TestDeriveRFC7677(t *testing.T) {
	v, err := derive("pencil", decode(t, rfc7677.salt), 4096)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.StdEncoding.EncodeToString(mac(v.server, rfc7677.authMessage)); got != rfc7677.signature {
		t.Errorf("server signature %s, want %s", got, rfc7677.signature)
	}
	key := decode(t, rfc7677.proof)
	for i, b := range mac(v.storedKey, rfc7677.authMessage) {
		key[i] ^= b
	}
	if got := sha256.Sum256(key); string(got[:]) != string(v.storedKey) {
		t.Error("the hash of the client key that the proof reveals is not the stored key")
	}
}

// fromServer is what PostgreSQL 15.18 stored for CREATE ROLE … PASSWORD 'sessionpass123'.
const fromServer = "SCRAM-SHA-256$4096:AGj/WHd0erU+iz52vfftbQ==$qweXidnia6a46SUoXn9QOhqFQzF9AlkuvXRKeyoO1ms=:2x0yl+ngOlpbPFkqi4HdMDa/kNZ4vzwOc9raCORp090="

func TestMatches(t *testing.T) {
	v, err := derive("pencil", []byte("0123456789abcdef"), 10)
	if err != nil {
		t.Fatal(err)
	}
	good := v.text()
	broken := func(change func(*scram)) string {
		b := v
		b.storedKey, b.server, b.salt = append([]byte(nil), v.storedKey...), append([]byte(nil), v.server...), append([]byte(nil), v.salt...)
		change(&b)
		return b.text()
	}
	for _, c := range []struct {
		name, stored, password string
		want                   bool
	}{
		{"ours", good, "pencil", true},
		{"ours, another password", good, "Pencil", false},
		{"the server's", fromServer, "sessionpass123", true},
		{"the server's, another password", fromServer, "sessionpass124", false},
		{"only the stored key fits", broken(func(b *scram) { b.server[0] ^= 1 }), "pencil", false},
		{"only the server key fits", broken(func(b *scram) { b.storedKey[31] ^= 1 }), "pencil", false},
		{"another salt", broken(func(b *scram) { b.salt[0] ^= 1 }), "pencil", false},
		{"one iteration more", broken(func(b *scram) { b.iterations++ }), "pencil", false},
		{"more iterations than we compute", broken(func(b *scram) { b.iterations = 2_000_000_000 }), "pencil", false},
		{"no iterations", broken(func(b *scram) { b.iterations = 0 }), "pencil", false},
		{"no salt", broken(func(b *scram) { b.salt = nil }), "pencil", false},
		{"a short key", broken(func(b *scram) { b.server = b.server[:31] }), "pencil", false},
		{"MD5", "md5" + strings.Repeat("0", 32), "pencil", false},
		{"cut off", good[:len(good)-20], "pencil", false},
		{"without keys", good[:strings.LastIndex(good, "$")], "pencil", false},
		{"nothing", "", "", false},
	} {
		if got := matches(c.stored, c.password); got != c.want {
			t.Errorf("%s: matches is %t", c.name, got)
		}
		cache := &Cache{}
		for range 2 {
			if got := cache.matches(c.stored, c.password); got != c.want {
				t.Errorf("%s, cached: matches is %t", c.name, got)
			}
		}
	}
}

func TestCacheComputesOnce(t *testing.T) {
	v, err := derive("pencil", []byte("0123456789abcdef"), maxIterations)
	if err != nil {
		t.Fatal(err)
	}
	c, stored := &Cache{}, v.text()
	start := time.Now()
	if !c.matches(stored, "pencil") {
		t.Fatal("does not match")
	}
	once := time.Since(start)
	start = time.Now()
	for range 1000 {
		if !c.matches(stored, "pencil") {
			t.Fatal("does not match the second time")
		}
	}
	if all := time.Since(start); all > once {
		t.Errorf("1000 cached answers took %s, one computed %s", all, once)
	}
}

func TestCheckPassword(t *testing.T) {
	for _, c := range []struct{ password, want string }{
		{"sessionpass123", ""},
		{` !"#$%&'()*+,-./[\]^_{|}~` + "`", ""},
		{"md5", ""},
		{"md5" + strings.Repeat("g", 32), ""},
		{"SCRAM-SHA-256", ""},
		{"", "is empty"},
		{"secret\n", "byte 7 of 7 is a line end"},
		{"sec\tret", "byte 4 of 7 is not printable ASCII"},
		{"secr²t", "byte 5 of 7 is not printable ASCII"},
		{"secret\x7f", "byte 7 of 7"},
		{"md5" + strings.Repeat("a", 32), "looks like a hash"},
		{fromServer, "looks like a hash"},
	} {
		err := CheckPassword(c.password)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.password, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "secr") || strings.Contains(err.Error(), "aaa") || strings.Contains(err.Error(), "$4096")) {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}
