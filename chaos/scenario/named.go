package scenario

import "slices"

// Stories that are told only when they are asked for: each is the shortest known
// way to one mistake, and some need a run of their own kind (see setups). They
// show nothing that a run without mistakes must be seen to do, so plans in
// general leave their time to others.

// namedStory makes a story for a plan.
type namedStory struct {
	name string
	make func(*Plan) Story
}

func namedStories() []namedStory {
	return []namedStory{
		{"halves", halves}, {"minority", minority}, {"resurrection", resurrection}, {"slewed", slewed},
		{"same-server", sameServer}, {"twice-probed", twiceProbed}, {"copied-node", copiedNode},
		{"slow-acquire", slowAcquire}, {"cancelled", cancelled}, {"expiry", expiry},
		{"large-tokens", largeTokens}, {"forgotten", forgotten}, {"new-beginning", newBeginning},
		{"lost-replies", lostReplies}, {"renewer", renewer}, {"late-request", lateRequest}, {"late-extend", lateExtend},
		{"no-channel", noChannel}, {"crash-between", crashBetween},
	}
}

// AllStoryNames lists all stories: those of StoryNames, which are told in every
// run, and then those that are told only by name.
func AllStoryNames() []string {
	names := StoryNames()
	for _, s := range namedStories() {
		names = append(names, s.name)
	}
	return names
}

// named returns the story of that name, if it is told only by name.
func named(p *Plan, name string) []Story {
	all := namedStories()
	i := slices.IndexFunc(all, func(s namedStory) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	s := all[i].make(p)
	s.Name = name
	return []Story{s}
}
