package role

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// iterations is what PostgreSQL itself uses (scram_iterations) and the least that RFC 7677 allows.
const iterations = 4096

// maxIterations bounds what a stored verifier can make us compute, about half a second: a role may store one of its own
// making.
const maxIterations = 600_000

const scramPrefix = "SCRAM-SHA-256$"

// scram is a SCRAM-SHA-256 verifier (RFC 5802, section 3; RFC 7677): enough to check a password, not to know it.
type scram struct {
	iterations        int
	salt              []byte
	storedKey, server []byte
}

// derive computes the verifier of a printable ASCII password, which SASLprep leaves as it is.
func derive(password string, salt []byte, iterations int) (scram, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return scram{}, fmt.Errorf("PBKDF2: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return scram{iterations, salt, stored[:], mac(salted, "Server Key")}, nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(message)) // a hash never fails
	return h.Sum(nil)
}

// text is the verifier in PostgreSQL's form (src/common/scram-common.c, scram_build_secret).
func (v scram) text() string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", scramPrefix, v.iterations, b64(v.salt), b64(v.storedKey), b64(v.server))
}

// parseScram reads PostgreSQL's form; false: it is something else, an MD5 hash say.
func parseScram(s string) (v scram, ok bool) {
	rest, ok := strings.CutPrefix(s, scramPrefix)
	if !ok {
		return v, false
	}
	params, keys, _ := strings.Cut(rest, "$")
	count, salt, _ := strings.Cut(params, ":")
	stored, server, _ := strings.Cut(keys, ":")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > maxIterations {
		return v, false
	}
	v.iterations = n
	for text, into := range map[string]*[]byte{salt: &v.salt, stored: &v.storedKey, server: &v.server} {
		if *into, err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
			return v, false
		}
	}
	return v, len(v.salt) > 0 && len(v.storedKey) == sha256.Size && len(v.server) == sha256.Size
}

// matches says whether a stored verifier is that of a password. The time it takes tells nothing of where they differ.
func matches(stored, password string) bool {
	have, ok := parseScram(stored)
	if !ok {
		return false
	}
	want, err := derive(password, have.salt, have.iterations)
	return err == nil && subtle.ConstantTimeCompare(have.storedKey, want.storedKey)&subtle.ConstantTimeCompare(have.server, want.server) == 1
}
