package operate

import "slices"

// knot is a row that is left, with its parent and how many children it has, itself left out.
type knot struct {
	ID       string `json:"id"`
	Parent   string `json:"parent"`
	Children int    `json:"children"`
	// Kept says that another table refers to it.
	Kept bool `json:"kept"`
}

// untangle puts the rows that may go into an order in which each comes behind its children. One stays whose child is not among the
// rows, or stays. Rows that are each other's ancestors are returned apart, circle by circle: each has to go at once.
func untangle(rows []knot) (order []string, circles [][]string) {
	parent := make(map[string]string, len(rows))
	children := make(map[string]int, len(rows))
	for i, r := range rows {
		if r.Kept { // as by a child that stays
			rows[i].Children++
		}
		children[r.ID] = rows[i].Children
		if r.Parent != r.ID {
			parent[r.ID] = r.Parent
		}
	}
	for _, r := range rows {
		// From leaf to leaf upwards: the last child that goes makes one of its parent.
		for at := r.ID; r.Children == 0; {
			order = append(order, at)
			delete(children, at)
			up, has := parent[at]
			n, among := children[up]
			if !has || !among {
				break
			}
			children[up] = n - 1
			if n > 1 {
				break
			}
			at = up
		}
	}
	return order, ringsOf(rows, parent, children)
}

// ringsOf finds the rows that are ancestors of themselves, each circle in the order of its way up. A row has one parent, so no two
// circles touch. With a child more than the one of its circle a row stays, and so does the circle.
func ringsOf(rows []knot, parent map[string]string, children map[string]int) (found [][]string) {
	visit := make(map[string]int, len(rows)) // by which way up; 0: not yet
	for i, r := range rows {
		var way []string
		at := r.ID
		for _, left := children[at]; left && visit[at] == 0; _, left = children[at] {
			visit[at] = i + 1
			way = append(way, at)
			at = parent[at]
		}
		start := slices.Index(way, at)
		if start < 0 || visit[at] != i+1 {
			continue
		}
		if ring := way[start:]; !slices.ContainsFunc(ring, func(id string) bool { return children[id] != 1 }) {
			found = append(found, ring)
		}
	}
	return found
}
