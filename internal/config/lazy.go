package config

import (
	"regexp"
	"sync"
)

// lazy compiles an expression when it is first used: all of them together cost a start of the program a millisecond, and
// most are for mistakes.
func lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
