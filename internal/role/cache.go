package role

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// maxKnown bounds the cache; beyond it everything is computed again.
const maxKnown = 256

// Cache remembers which verifier belongs to which password, so that a pass without news computes no PBKDF2. It holds
// neither: only a keyed hash of the two, and the answer. The zero value is ready, a nil one remembers nothing; it is safe
// for concurrent use.
type Cache struct {
	mu    sync.Mutex
	key   []byte
	known map[[sha256.Size]byte]bool
}

func (c *Cache) matches(stored, password string) bool {
	if c == nil {
		return matches(stored, password)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.id(stored, password)
	if answer, ok := c.known[id]; ok {
		return answer
	}
	if c.known == nil || len(c.known) >= maxKnown {
		c.known = map[[sha256.Size]byte]bool{}
	}
	c.known[id] = matches(stored, password)
	return c.known[id]
}

// compareAhead lets matches find the answer that it will be asked for, or wait for it. The goroutine ends by itself once
// it has the answer; who is asked meanwhile waits for the mutex.
func (c *Cache) compareAhead(stored, password string) {
	if c != nil {
		go c.matches(stored, password)
	}
}

// id hashes with a key that lives as long as the process, so that a core dump is no list of fast hashes to try words on.
func (c *Cache) id(stored, password string) (id [sha256.Size]byte) {
	if c.key == nil {
		c.key = make([]byte, sha256.Size)
		_, _ = rand.Read(c.key) // crashes rather than fail
	}
	h := hmac.New(sha256.New, c.key)
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(stored))))
	_, _ = h.Write([]byte(stored))
	_, _ = h.Write([]byte(password))
	h.Sum(id[:0])
	return id
}
