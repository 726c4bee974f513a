package firewall

import (
	"encoding/json"
	"fmt"
)

// Rules is one table of somebody else as `nft --json` prints it (libnftables-json(5)): what its chains do, by name, and
// what its sets and maps hold.
type Rules struct {
	chains map[string][]statements
	sets   map[string]any // a list of elements; of a map, of pairs
}

// statements are one rule, each a JSON object with one key.
type statements []map[string]any

// parseRules reads what nft printed.
func parseRules(text string) (*Rules, error) {
	type named struct {
		Name string `json:"name"`
		Elem any    `json:"elem"`
	}
	var doc struct {
		Objects []struct {
			Chain *named `json:"chain"`
			Set   *named `json:"set"`
			Map   *named `json:"map"`
			Rule  *struct {
				Chain string     `json:"chain"`
				Expr  statements `json:"expr"`
			} `json:"rule"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("nft --json: %w", err)
	}
	r := &Rules{chains: map[string][]statements{}, sets: map[string]any{}}
	for _, o := range doc.Objects {
		switch {
		case o.Set != nil:
			r.sets["@"+o.Set.Name] = o.Set.Elem
		case o.Map != nil:
			r.sets["@"+o.Map.Name] = o.Map.Elem
		case o.Rule != nil:
			r.chains[o.Rule.Chain] = append(r.chains[o.Rule.Chain], o.Rule.Expr)
		}
	}
	return r, nil
}

// outcome is a set of what may become of a packet.
type outcome uint8

const (
	accepted outcome = 1 << iota
	dropped
	passed // on to the next rule: of the chain that asked
)

// deepest is how far nft lets chains call each other (NFT_JUMP_STACK_SIZE).
const deepest = 16

// judge says what a base chain may do to a packet that opens a connection. Where a rule asks for what cannot be known here,
// both answers are followed: only dropped alone is a certain loss.
func (r *Rules) judge(c BaseChain, p packet) outcome {
	o := r.walk(c.Name, p, 0)
	if o&passed != 0 {
		o &^= passed
		if c.Drops {
			return o | dropped
		}
		return o | accepted
	}
	return o
}

func (r *Rules) walk(chain string, p packet, depth int) (all outcome) {
	if depth > deepest {
		return accepted | dropped
	}
	for _, rule := range r.chains[chain] {
		o, certain := r.rule(rule, p, depth)
		all |= o &^ proceeds
		if certain && o&proceeds == 0 {
			return all
		}
	}
	return all | passed
}

// proceeds is, inside a chain, that the next rule of the same chain is asked.
const proceeds outcome = 1 << 7

// rule follows one rule; certain says that the packet matches.
func (r *Rules) rule(rule statements, p packet, depth int) (o outcome, certain bool) {
	certain = true
	for _, s := range rule {
		for kind, body := range s {
			switch m := r.matches(kind, body, p); m {
			case no:
				return proceeds, false
			case maybe:
				certain = false
			}
			o |= r.verdict(kind, body, p, depth)
		}
	}
	if o == 0 || !certain {
		o |= proceeds
	}
	return o, certain
}

// verdict is what a statement decides; 0: nothing.
func (r *Rules) verdict(kind string, body any, p packet, depth int) outcome {
	switch kind {
	case "accept":
		return accepted
	case "drop", "reject":
		return dropped
	case "return":
		return passed
	case "queue": // a program decides
		return accepted | dropped
	case "jump":
		o := r.walk(text(body, "target"), p, depth+1)
		if o&passed != 0 {
			o = o&^passed | proceeds
		}
		return o
	case "goto":
		return r.walk(text(body, "target"), p, depth+1)
	case "vmap":
		return r.verdictMap(body, p, depth)
	case "xt": // what iptables wrote and nft has no word for
		if text(body, "type") == "target" && text(body, "name") == "REJECT" {
			return dropped
		}
	}
	return 0
}

// verdictMap follows the entries of a verdict map that the packet may hit.
func (r *Rules) verdictMap(body any, p packet, depth int) outcome {
	m, _ := body.(map[string]any)
	left, data := m["key"], m["data"]
	if set, ok := data.(map[string]any); ok {
		data = set["set"]
	}
	if name, ok := data.(string); ok {
		data = r.sets[name]
	}
	o := proceeds
	entries, _ := data.([]any)
	for _, e := range entries {
		pair, _ := e.([]any)
		if len(pair) != 2 {
			continue
		}
		decided, _ := pair[1].(map[string]any)
		for kind, target := range decided {
			switch p.equals(left, pair[0], r) {
			case yes:
				return r.verdict(kind, target, p, depth)
			case maybe:
				o |= r.verdict(kind, target, p, depth)
			}
		}
	}
	return o
}

// text is a string in an object of JSON, or "".
func text(body any, key string) string {
	m, _ := body.(map[string]any)
	s, _ := m[key].(string)
	return s
}
