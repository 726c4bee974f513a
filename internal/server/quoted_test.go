package server

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarkQuoted(t *testing.T) {
	const text = "local all all peer\n" +
		`host "all","re""po",x "all",all 10.0.0.0/8 md5` + "\n" +
		"host s\\\n" + `"ession", b "+grp" all md5 # "z"` + "\r\n" +
		`host a"ll" "sa meuser" all md5` + "\n"
	want := []string{"[] []", `[all re"po] []`, "[] [+grp]", "[] [sa meuser]", "[] []"}
	rules := []Rule{{File: "f", Line: 1}, {File: "f", Line: 2}, {File: "f", Line: 3}, {File: "f", Line: 5}, {File: "included", Line: 2}}
	var got []string
	for _, r := range markQuoted(rules, "f", text) {
		got = append(got, fmt.Sprint(r.Quoted.Databases, r.Quoted.Users))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
