package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/longwire/longwire/internal/server"
)

// classes are retention classes, the first that takes a channel first:
//
//	history:
//	  - name: chat
//	    channels: ["chat.>"]
//	    count: 10000
//	    age: 168h
//	    bytes: 4GiB
//	  - name: cursors
//	    channels: ["cursor.*"]
//	    count: 0
//	    behind: latest
//
// What is not said is as for all other channels by default. Other names, channels or order than
// the data was kept with make a gap of every position of before; other limits do not.
type classes []server.Class

// A classEntry is one class as it is written.
type classEntry struct {
	Name     string         `yaml:"name"`
	Channels []string       `yaml:"channels"`
	Count    *int           `yaml:"count"`
	Age      *age           `yaml:"age"`
	Bytes    *size          `yaml:"bytes"`
	Memory   bool           `yaml:"memory"`
	Behind   *server.Policy `yaml:"behind"`
}

// An age is a duration such as 168h, or 0.
type age time.Duration

// UnmarshalYAML reads an age.
func (a *age) UnmarshalYAML(n *yaml.Node) error {
	d, err := time.ParseDuration(n.Value) // which takes 0, too
	if err != nil {
		return fmt.Errorf("%q is no age; write a duration such as 90s, 10m or 168h, or 0 for as long as there is room", n.Value)
	}
	*a = age(d)
	return nil
}

// UnmarshalYAML reads a size.
func (s *size) UnmarshalYAML(n *yaml.Node) error { return s.UnmarshalText([]byte(n.Value)) }

// Decode is called by kong, with the text of a flag or what the configuration file has.
func (c *classes) Decode(ctx *kong.DecodeContext) error {
	t, err := ctx.Scan.PopValue("YAML")
	if err != nil {
		return err
	}
	text, ok := t.Value.(string)
	if !ok {
		b, err := yaml.Marshal(t.Value)
		if err != nil {
			return err
		}
		text = string(b)
	}
	*c, err = parseClasses(text)
	return err
}

func parseClasses(text string) (classes, error) {
	var entries []classEntry
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&entries); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("history is a list of retention classes, each with name, channels and any of count, age, bytes, memory, behind (%w)", err)
	}
	list := make(classes, 0, len(entries))
	for _, e := range entries {
		k, err := e.class()
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

// class returns the class that an entry means.
func (e *classEntry) class() (k server.Class, err error) {
	k = server.Class{Name: e.Name, Patterns: e.Channels, Memory: e.Memory}
	switch {
	case len(e.Channels) == 0:
		return k, fmt.Errorf("retention class %q has no channels; write channels: [\"chat.>\"], and use --history-count and the like for all that have no class", e.Name)
	case e.Count != nil && *e.Count < 0:
		return k, fmt.Errorf("retention class %q has a count of %d; write how many publications of a channel are kept, 0 for none", e.Name, *e.Count)
	case e.Age != nil && *e.Age < 0:
		return k, fmt.Errorf("retention class %q has an age of %v; write how long publications are kept, 0 for as long as there is room", e.Name, time.Duration(*e.Age))
	}
	if e.Behind != nil {
		if e.Count == nil || *e.Count > 0 {
			return k, fmt.Errorf("retention class %q has history, from which those who are behind are served; write behind only with count: 0", e.Name)
		}
		k.Behind = *e.Behind
	}
	if e.Count != nil {
		k.Count = orNever(*e.Count)
	}
	if e.Age != nil {
		k.Age = orNever(time.Duration(*e.Age))
	}
	if e.Bytes != nil {
		k.Bytes = int64(orNever(*e.Bytes))
	}
	return k, nil
}
