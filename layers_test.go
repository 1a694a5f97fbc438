package longwire_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/longwire/longwire"

// layers is the plan of the house: for each package, named by its folder, what of ours it may import. Rooms
// at the same height never import each other, so that each can be read, tested and replaced alone.
//
// One package may know more than the drawing says: the root imports internal/park, because longwire.Listen
// and longwire.WrapListener are internal/park's listener under a public name.
var layers = map[string][]string{
	"wire":             {},
	"internal/frame":   {},
	"internal/beat":    {"wire"},
	"internal/content": {"wire"},
	"internal/loop":    {},
	"internal/origin":  {},
	"internal/park":    {"internal/loop"},
	".":                {"wire", "internal/content", "internal/loop", "internal/origin", "internal/park"},

	"transport/tcp":    {".", "wire", "internal/loop", "internal/park", "internal/frame", "internal/beat"},
	"transport/ws":     {".", "wire", "internal/loop", "internal/park", "internal/frame", "internal/beat", "internal/origin"},
	"transport/stream": {".", "wire", "internal/loop", "internal/park", "internal/frame", "internal/beat", "internal/content"},
	"broker/jetstream": {".", "wire"},
	"auth":             {"."},

	"internal/api":         {".", "internal/api/adminpb"},
	"internal/api/adminpb": {},
	"internal/console":     {"."},
	"internal/metrics":     {"."},

	"client":           {"wire", "internal/frame"},
	"internal/loadgen": {"client", "wire", "internal/frame"},
	"internal/torture": {"client", "wire", "internal/frame"},

	"internal/server": {
		".", "wire", "internal/loop", "internal/park", "internal/frame", "internal/origin",
		"transport/tcp", "transport/ws", "transport/stream", "broker/jetstream", "auth",
		"internal/api", "internal/api/adminpb", "internal/console", "internal/metrics",
		"client", "internal/loadgen", "internal/torture",
	},
	"cmd/longwire": {"internal/server", "internal/loadgen", "internal/torture", "client"},

	// For tests only: no program may contain them, so nothing above lists them.
	"linktest":          {".", "wire"},
	"brokertest":        {".", "wire"},
	"internal/leak":     {},
	"internal/memnet":   {},
	"internal/testcert": {},
	"internal/interop":  {},
	"internal/ways":     {"wire", "internal/frame"},
}

// TestLayers reads the imports of every Go file below this folder, for all systems and build tags, and holds
// them against the table.
//
// Test files are exempt from the table, but not from its completeness: a test needs the conformance suites,
// the leak check and neighbours to talk to, none of which ends up in a program, and what Go calls an import
// cycle still fails. Programs of nested modules see the public packages only, as any user does.
func TestLayers(t *testing.T) {
	problems, seen, err := checkLayers(os.DirFS("."), layers)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if seen == 0 {
		t.Error("no Go file was read")
	}
}

// checkLayers returns what is wrong with the imports of the module at the root of tree, in the order of its
// files, and how many files it read.
func checkLayers(tree fs.FS, layers map[string][]string) (problems []string, files int, err error) {
	nested := "" // the folder of the nested module that the walk is in
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && skipped(d.Name()) {
				return fs.SkipDir
			}
			if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil && name != "." {
				nested = name
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		if !strings.HasPrefix(name, nested+"/") {
			nested = ""
		}
		imports, err := ours(tree, name)
		if err != nil {
			return err
		}
		files++
		for _, imported := range imports {
			if p := verdict(layers, nested, name, imported); p != "" {
				problems = append(problems, p)
			}
		}
		if room := path.Dir(name); nested == "" && layers[room] == nil {
			problems = append(problems, unknown(name, room))
		}
		return nil
	})
	return slices.Compact(problems), files, err
}

// skipped tells folders that the go command does not look into either, and those that it would without reason.
func skipped(folder string) bool {
	return strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_") || folder == "testdata" || folder == "node_modules"
}

// ours returns the folders of the packages of this module that a file imports.
func ours(tree fs.FS, name string) ([]string, error) {
	src, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		switch rest, ok := strings.CutPrefix(p, module+"/"); {
		case ok:
			list = append(list, rest)
		case p == module:
			list = append(list, ".")
		}
	}
	return list, nil
}

// verdict says what is wrong with one import, or nothing.
func verdict(layers map[string][]string, nested, file, imported string) string {
	room := path.Dir(file)
	switch {
	case nested != "":
		own := imported == nested || strings.HasPrefix(imported, nested+"/")
		if !own && slices.Contains(strings.Split(imported, "/"), "internal") {
			return fmt.Sprintf("%s imports %s, but a nested module sees public packages only", file, imported)
		}
	case layers[imported] == nil:
		return unknown(file, imported)
	case strings.HasSuffix(file, "_test.go") || layers[room] == nil || slices.Contains(layers[room], imported):
	default:
		may := "nothing of ours"
		if len(layers[room]) > 0 {
			may = strings.Join(layers[room], ", ")
		}
		return fmt.Sprintf("%s imports %s, but %s may import %s only", file, imported, room, may)
	}
	return ""
}

func unknown(file, room string) string {
	return fmt.Sprintf("%s: package %s is not in the table; add it to layers in layers_test.go with what it may import, and to docs/design.md", file, room)
}

func TestLayersFindsWhatIsWrong(t *testing.T) {
	src := func(imports ...string) *fstest.MapFile {
		var b strings.Builder
		b.WriteString("package p\n")
		for _, i := range imports {
			fmt.Fprintf(&b, "import %q\n", i)
		}
		return &fstest.MapFile{Data: []byte(b.String())}
	}
	for _, tt := range []struct {
		name string
		tree fstest.MapFS
		want string // part of the one problem; empty: none
	}{
		{"down", fstest.MapFS{"transport/ws/a.go": src("io", module, module+"/wire")}, ""},
		{"sideways", fstest.MapFS{"transport/ws/a.go": src(module + "/transport/tcp")}, "transport/ws/a.go imports transport/tcp, but transport/ws may import ., wire"},
		{"up", fstest.MapFS{"wire/a.go": src(module)}, "wire/a.go imports ., but wire may import nothing of ours only"},
		{"the root too", fstest.MapFS{"node.go": src(module + "/transport/tcp")}, "node.go imports transport/tcp"},
		{"files of other systems too", fstest.MapFS{"wire/a_windows.go": src(module + "/internal/loop")}, "wire/a_windows.go imports internal/loop"},
		{"test support in a program", fstest.MapFS{"internal/loop/a.go": src(module + "/internal/leak")}, "internal/loop may import nothing"},
		{"test support in a test", fstest.MapFS{"internal/loop/a_test.go": src(module + "/internal/leak")}, ""},
		{"a neighbour in a test", fstest.MapFS{"transport/ws/a_test.go": src(module + "/transport/tcp")}, ""},
		{"a new package", fstest.MapFS{"internal/attic/a.go": src("io")}, "internal/attic is not in the table; add it"},
		{"a new package in a test", fstest.MapFS{"internal/loop/a_test.go": src(module + "/internal/attic")}, "internal/attic is not in the table; add it"},
		{"another module of like name", fstest.MapFS{"wire/a.go": src(module + "2/x")}, ""},
		{"nested: public", fstest.MapFS{"rivals/go.mod": {}, "rivals/a.go": src(module, module+"/transport/ws", module+"/rivals/internal/x")}, ""},
		{"nested: internal", fstest.MapFS{"rivals/go.mod": {}, "rivals/b/a.go": src(module + "/internal/loop")}, "nested module sees public packages only"},
		{"after a nested one", fstest.MapFS{"rivals/go.mod": {}, "wire/a.go": src(module)}, "wire may import nothing"},
		{"not looked into", fstest.MapFS{"wire/testdata/a.go": src(module), "internal/interop/node_modules/x/a.go": src(module), ".cache/a.go": src(module)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems, _, err := checkLayers(tt.tree, layers)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(problems) > 0:
				t.Errorf("problems %q, want none", problems)
			case tt.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], tt.want)):
				t.Errorf("problems %q, want one with %q", problems, tt.want)
			}
		})
	}
}

// The table itself: it names only rooms it has, and no two rooms lead to each other.
func TestLayersHaveNoCycle(t *testing.T) {
	var visit func(room string, way []string)
	visit = func(room string, way []string) {
		if slices.Contains(way, room) {
			t.Fatalf("a circle: %s", strings.Join(append(way, room), " → "))
		}
		for _, next := range layers[room] {
			if layers[next] == nil {
				t.Errorf("%s may import %s, which is not in the table", room, next)
			}
			visit(next, append(slices.Clone(way), room))
		}
	}
	for _, room := range slices.Sorted(maps.Keys(layers)) {
		visit(room, nil)
	}
}
