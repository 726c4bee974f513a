package dump

import (
	"regexp"
	"sync"
)

// lazy compiles an expression when it is first needed: the daemons never read a dump, and hold what is compiled at the start.
func lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
