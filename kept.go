package longwire

import "slices"

// keptEntries are what a hub keeps of the publications that it skips because too much waits for
// it: the last of those that history does not have, as many as may wait for a session. When all have
// fallen behind they wait for each by itself, and of the others is told.
type keptEntries struct {
	list    []entry
	load    waitingLoad
	dropped map[dropping]uint64 // nil mostly
}

// A dropping is what was dropped of a list by a policy.
type dropping struct {
	list   *list
	policy Policy
}

func (k *keptEntries) add(n *Node, e entry) {
	k.list = append(k.list, e)
	for k.load.add(e.m.cost()); k.load.over(); {
		old := k.list[0]
		k.list = slices.Delete(k.list, 0, 1)
		k.load.remove(old.m.cost())
		if k.dropped == nil {
			k.dropped = map[dropping]uint64{}
		}
		k.dropped[dropping{old.list, n.behind(old.e.p.Channel)}]++
	}
}

// spread has what was kept wait for the subscriptions, all of which have fallen behind.
func (k *keptEntries) spread() {
	for d, n := range k.dropped {
		for _, t := range d.list.subs {
			t.session.lose(t, d.policy, n)
		}
	}
	for i := range k.list {
		for _, t := range k.list[i].list.subs {
			t.passedBy(k.list[i : i+1])
		}
	}
}
