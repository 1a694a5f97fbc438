package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// A configFile is one YAML file that gives flags by their names. It is read as
// soon as its own flag is known. Flags win over the environment, and that over
// the file. A name that is no flag is an error, because a misspelt setting would
// otherwise be left at its default in silence.
type configFile string

// BeforeResolve is called by kong, which then asks for the flags.
func (f configFile) BeforeResolve(app *kong.Kong, ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(configFile))
	if path == "" {
		return nil
	}
	values, err := readConfig(path)
	if err != nil {
		return err
	}
	for name := range values {
		if !known(app.Model.Node, name) {
			return fmt.Errorf("%s: there is no setting %q; settings are named as the flags", path, name)
		}
	}
	ctx.AddResolver(fileResolver(values))
	return nil
}

func readConfig(path string) (map[string]any, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	defer file.Close()
	var values map[string]any
	if err := yaml.NewDecoder(file).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("--config %s: write one \"name: value\" per line (%w)", path, err)
	}
	return values, nil
}

// known reports whether any command has the flag.
func known(n *kong.Node, name string) bool {
	for _, flag := range n.Flags {
		if flag.Name == name && name != "help" && name != "version" && name != "config" {
			return true
		}
	}
	for _, child := range n.Children {
		if known(child, name) {
			return true
		}
	}
	return false
}

// fileResolver gives the values of a file to flags that are given in no other way.
type fileResolver map[string]any

// Validate implements [kong.Resolver].
func (fileResolver) Validate(*kong.Application) error { return nil }

// Resolve implements [kong.Resolver].
func (r fileResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	switch v := r[flag.Name].(type) {
	case int, float64: // a number is what its text is, also where a flag takes units
		return fmt.Sprint(v), nil
	default:
		return v, nil
	}
}
