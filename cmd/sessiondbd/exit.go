package main

import (
	"errors"
	"fmt"
	"io/fs"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/dump"
	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// Exit codes of the contract; from 64 on those of sysexits(3).
const (
	exitOK          = 0
	exitFailure     = 1
	exitPending     = 2
	exitUsage       = 64
	exitRefused     = 65
	exitUnavailable = 69
	exitTryAgain    = 75
	exitNotAllowed  = 77
	exitConfig      = 78
)

// usageError is a mistake on the command line.
type usageError struct{ error }

// configError is a mistake in the config or in what it names.
type configError struct{ error }

// refusal is why a command leaves things as they are, and how to go on.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// errInterrupted is a signal that came before there was anybody to heed it.
var errInterrupted = errors.New("interrupted (before anything was begun): run it again")

// code is an outcome that has been told already and only needs its exit code.
type code int

func (c code) Error() string { return fmt.Sprintf("exit %d", int(c)) }

func (e usageError) Unwrap() error  { return e.error }
func (e configError) Unwrap() error { return e.error }

// exit tells the error and returns its code.
func (a *app) exit(err error) int {
	defer func() {
		if a.stopLog != nil {
			a.stopLog()
		}
	}()
	var told code
	if errors.As(err, &told) {
		return int(told)
	}
	if err != nil {
		fmt.Fprintln(a.stderr, "sessiondbd: "+err.Error())
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(a.stderr, "See `sessiondbd --help`.")
	}
	return exitCode(err)
}

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var usage usageError
	var cfg configError
	var no refusal
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &cfg):
		return exitConfig
	case errors.As(err, &no):
		return exitRefused
	case errors.Is(err, firewall.ErrNotPermitted), errors.Is(err, fs.ErrPermission):
		return exitNotAllowed
	case errors.Is(err, firewall.ErrMissing), errors.Is(err, dump.ErrTool):
		return exitUnavailable
	case errors.Is(err, firewall.ErrBusy), errors.Is(err, errInterrupted), errors.Is(err, daemon.ErrPass):
		return exitTryAgain
	case errors.Is(err, daemon.ErrUnserved):
		return exitRefused
	}
	switch postgres.ClassOf(err) {
	case postgres.NotPermitted:
		return exitNotAllowed
	case postgres.Unavailable, postgres.NoDatabase:
		return exitUnavailable
	case postgres.Busy:
		return exitTryAgain
	case postgres.Refused:
		return exitRefused
	}
	return exitFailure
}

// worst is the code of several failures: what needs a person most comes first, what goes away by itself last.
func worst(failures []plan.Failure) int {
	rank := []int{exitConfig, exitNotAllowed, exitRefused, exitFailure, exitUnavailable, exitTryAgain}
	have := map[int]bool{}
	for _, f := range failures {
		have[exitCode(f.Err)] = true
	}
	for _, c := range rank {
		if have[c] {
			return c
		}
	}
	return exitOK
}
