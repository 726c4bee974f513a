package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"sessiondbd/internal/config"
	"sessiondbd/internal/role"
)

// handoverEnv tells the child on which descriptor it gets what root has read for it.
const handoverEnv = "SESSIONDBD_HANDOVER_FD"

// handover is what only root may be able to read. It travels over a pipe: neither the command line nor the environment of
// a process is a secret.
type handover struct {
	Path    string            `json:"path"`
	Config  []byte            `json:"config"`
	Secrets map[string]string `json:"secrets"` // plain: the type that hides them would hide them here too
	// Faults are those of config and passwords, for who goes on all the same.
	Faults faults `json:"faults"`
}

// faults are what is wrong with the config, and with the passwords that it names; empty: nothing.
type faults struct {
	Config  string `json:"config"`
	Secrets string `json:"secrets"`
}

func (h handover) secrets() secrets {
	s := secrets{}
	for name, text := range h.Secrets {
		s[name] = role.Secret(text)
	}
	return s
}

func (h handover) config() (*config.Config, error) {
	if h.Config == nil {
		return config.Default(), nil
	}
	cfg, err := config.Parse(h.Path, h.Config)
	if err != nil {
		return nil, configError{err}
	}
	return cfg, nil
}

// takeHandover reads what the parent hands over, if this is such a child.
func takeHandover() (h handover, ok bool, err error) {
	fd, err := strconv.Atoi(os.Getenv(handoverEnv))
	if err != nil {
		return h, false, nil
	}
	_ = os.Unsetenv(handoverEnv)
	f := os.NewFile(uintptr(fd), "handover")
	if f == nil {
		return h, false, fmt.Errorf("%s=%d: no such descriptor", handoverEnv, fd)
	}
	defer func() { _ = f.Close() }()
	if err := json.NewDecoder(f).Decode(&h); err != nil {
		return h, false, errors.New("the handover from the process that root started cannot be read")
	}
	return h, true, nil
}
