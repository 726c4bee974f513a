package role

import "crypto/rand"

// Once makes a password for one use, of 128 random bits, with the verifier that PostgreSQL is given instead of it.
func Once() (password, verifier string, err error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // crashes rather than fail
	password = rand.Text()
	v, err := derive(password, salt, iterations)
	if err != nil {
		return "", "", err
	}
	return password, v.text(), nil
}
