package longwire_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// The model-based test of P1 and P2: random operations on random links of random
// sessions and readers, against a model that knows all publications and what each
// link was told (model_contract_test.go). Network and time are virtual.
//
// What a seed does depends on the scheduler as well, so a failure may take a few
// runs to come again:
//
//	go test -run TestModel -model.seeds=100 -model.steps=5000 .
//	go test -run TestModel -model.seed=17 -model.steps=5000 -count=20 .
var (
	modelSeeds = flag.Int("model.seeds", 0, "run so many random seeds of TestModel instead of the usual ones")
	modelSeed  = flag.Uint64("model.seed", 0, "run only this seed of TestModel")
	modelSteps = flag.Int("model.steps", 1000, "steps of each seed of TestModel")
	modelTrace = flag.Int("model.trace", 60, "how many of the last steps of TestModel a failure tells")
)

func TestModel(t *testing.T) {
	for _, seed := range modelSeedsToRun() {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newModel(t, seed).run(*modelSteps) })
		})
	}
}

func modelSeedsToRun() (list []uint64) {
	if *modelSeed != 0 {
		return []uint64{*modelSeed}
	}
	if *modelSeeds == 0 {
		return []uint64{1, 2, 3, 4}
	}
	for range *modelSeeds {
		list = append(list, 1000+rand.Uint64N(1_000_000))
	}
	return list
}

// A model is one run.
type model struct {
	t      *testing.T
	seed   uint64
	step   int
	conf   modelConf
	rnd    *rand.Rand // the driver's
	r      *rig
	broker *modelBroker
	log    *modelLog

	wg       sync.WaitGroup
	sessions []*modelSession
	all      []*modelLink // that are not closed
	polls    []*modelPoll
	links    int // so many there were
	named    int // sessions there were
	serial   uint64
	trace    []string

	mu   sync.Mutex
	dice *rand.Rand // guarded by mu: of everybody else
	lost []string   // guarded by mu: failures that goroutines found
}

// A modelConf is what differs between seeds beside the operations.
type modelConf struct {
	hooks   bool // of a program, which take their time
	lateFor int  // one of so many things is late; zero is none
	failFor int  // one of so many publications cannot be read
	before  int  // so many publications there were before the node
	memory  longwire.MemoryOptions
	window  time.Duration
	size    int // of the data of a publication, at most
	bounds  longwire.Bounds
}

var modelChannels = []string{"a", "b", "c.1", "c.2", "c.3", "d.x.1", "d.x.2", "d.y.1", "@ann", "e"}

var modelNames = append([]string{"c.*", "d.>", "d.*.1", "c.>", "*", ">", "d.x.*", "none"}, modelChannels...)

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), dice: rand.New(rand.NewPCG(seed, 2))}
	m.conf = modelConf{
		hooks:   m.one(3),
		lateFor: []int{0, 2, 5, 20}[m.rnd.IntN(4)],
		failFor: []int{0, 0, 200}[m.rnd.IntN(3)],
		before:  []int{0, 50, 500}[m.rnd.IntN(3)],
		window:  []time.Duration{5 * time.Second, 30 * time.Second}[m.rnd.IntN(2)],
		size:    []int{10, 300, 3000}[m.rnd.IntN(3)],
		memory: longwire.MemoryOptions{
			Count: []int{0, 0, 1, 5, 40}[m.rnd.IntN(5)],
			Age:   []time.Duration{0, 0, 20 * time.Second, 3 * time.Minute}[m.rnd.IntN(4)],
		},
	}
	if m.one(2) {
		m.conf.bounds = longwire.Bounds{
			Turn:   1 + m.rnd.IntN(3),
			Inbox:  []int{500, 5000, 50_000}[m.rnd.IntN(3)],
			Recent: []int{1, 5, 50}[m.rnd.IntN(3)],
			Window: []int{1, 4, 50}[m.rnd.IntN(3)],
			Page:   []int{1, 4, 50}[m.rnd.IntN(3)],

			Together: []int{2, 4, 64}[m.rnd.IntN(3)],
		}
	}
	m.t.Logf("%+v", m.conf)
	t.Cleanup(m.wg.Wait)
	m.broker = newModelBroker(&m.conf.memory, m.late, func() bool { return m.chance(m.conf.failFor) })
	m.log = m.broker.log
	t.Cleanup(func() { m.broker.Close(context.Background()) })
	for range m.conf.before {
		channel, data, o := m.publication()
		m.broker.Publish(&longwire.Publication{Channel: channel, Data: data, Kind: o.Kind}, func(*longwire.Publication, error) {})
	}
	o := longwire.Options{Open: true, Broker: m.broker, ResumeWindow: m.conf.window, Rate: -1}
	if m.conf.hooks {
		o.Handler = m.handler()
	}
	longwire.Bound(&o, m.conf.bounds)
	m.r = newRig(t, o)
	t.Cleanup(m.dropAll)
	return m
}

// run takes the steps, and in the end has everybody read everything.
func (m *model) run(steps int) {
	for m.step = 1; m.step <= steps; m.step++ {
		m.operate()
		switch {
		case m.one(3):
			m.sleep(time.Duration(m.rnd.IntN(20)) * time.Millisecond)
		case m.one(3):
		default:
			synctest.Wait()
		}
		m.hear()
	}
	m.settle(m.all)
	m.t.Logf("%d publications, %d sessions, %d links", m.log.head(), m.named, m.links)
}

// one is true once in n times.
func (m *model) one(n int) bool { return n > 0 && m.rnd.IntN(n) == 0 }

// chance is one for everybody but the driver.
func (m *model) chance(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return n > 0 && m.dice.IntN(n) == 0
}

// late returns a time to be late by, which is zero mostly.
func (m *model) late(most time.Duration) time.Duration {
	if !m.chance(m.conf.lateFor) {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Duration(m.dice.Int64N(int64(most)))
}

func (m *model) sleep(d time.Duration) { time.Sleep(d) }

// note notes what is done, for a failure to tell.
func (m *model) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf("%4d %s  ", m.step, time.Now().Format("15:04:05.000"))+fmt.Sprintf(format, args...))
	if most := max(*modelTrace, modelMemory); len(m.trace) > 2*most {
		m.trace = slices.Clone(m.trace[len(m.trace)-most:])
	}
}

// wrong is for goroutines to say that something is wrong.
func (m *model) wrong(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = append(m.lost, fmt.Sprintf(format, args...))
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	trace := m.trace[max(0, len(m.trace)-*modelTrace):]
	m.t.Fatalf("%s\n\nseed %d, step %d; %+v\n%s", fmt.Sprintf(format, args...), m.seed, m.step, m.conf, strings.Join(trace, "\n"))
}

func (l *modelLink) fail(format string, args ...any) {
	l.m.t.Helper()
	l.m.fail("%v of %v, %v: %s\n\n%s\n\n%s", l, l.s, l.resumed, fmt.Sprintf(format, args...),
		strings.Join(l.recent, "\n"), strings.Join(l.story(), "\n"))
}

// modelMemory is how many steps are looked through for what was done to a session.
const modelMemory = 5000

// story returns what was done to the link and to its session, in what is remembered: a
// seed goes another way each time, so a failure has to tell how it came about.
func (l *modelLink) story() (list []string) {
	names := []string{regexp.QuoteMeta(l.String())}
	if l.s != nil {
		names = append(names, l.s.String()+`\b`)
		for _, o := range slices.Concat(l.s.posted, l.s.links) {
			names = append(names, regexp.QuoteMeta(o.String()))
		}
	}
	about := regexp.MustCompile(strings.Join(names, "|"))
	for _, step := range l.m.trace {
		if about.MatchString(step) {
			list = append(list, step)
		}
	}
	return list[max(0, len(list)-200):]
}

// until waits until the model knows all publications up to a number: whoever was
// served from history may be ahead of it.
func (m *model) until(n uint64) {
	if n > m.log.head() {
		synctest.Wait()
	}
}

// hear takes in what everybody has heard.
func (m *model) hear() {
	for _, l := range slices.Clone(m.all) {
		l.hear()
	}
	m.all = slices.DeleteFunc(m.all, func(l *modelLink) bool { return l.closed || l.over && !l.opening() })
	m.hearPolls()
	m.mu.Lock()
	lost := m.lost
	m.mu.Unlock()
	if len(lost) > 0 {
		m.fail("%s", strings.Join(lost, "\n"))
	}
}

// settle lets links read everything, and checks that nothing is missing then.
func (m *model) settle(links []*modelLink) {
	links = slices.Clone(links)
	m.note("settle %v", links)
	for _, l := range links {
		l.let(-1)
	}
	bad := ""
	for range 20 {
		m.sleep(3 * time.Second)
		synctest.Wait()
		m.hear()
		bad = ""
		for _, l := range links {
			if why := l.unsettled(); why != "" {
				bad = fmt.Sprintf("%v: %s", l, why)
			}
		}
		if bad == "" {
			break
		}
	}
	for _, l := range links {
		if why := l.unsettled(); why != "" {
			l.fail("after a minute: %s", why)
		}
		if !l.closed && !l.over {
			l.rest()
		}
	}
}

// unsettled tells what a link has not got.
func (l *modelLink) unsettled() string {
	switch {
	case l.closed || l.over:
		return ""
	case l.opening():
		return "it is not open"
	case !l.first && !l.reader:
		return "connected did not come"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.pending {
		if r.sent && !r.void {
			return r.text + " was not answered"
		}
	}
	return l.incomplete()
}

// rest notes that the link has everything.
func (l *modelLink) rest() {
	l.settleAll()
	l.idled()
	l.stalled, l.wasIdle = time.Time{}, false
	if l.s != nil && l.s.live == l {
		l.s.alive = time.Now()
	}
}

// dropAll ends all clients.
func (m *model) dropAll() {
	for _, s := range m.sessions {
		for _, l := range s.links {
			l.drop(false)
		}
	}
	for _, l := range m.all {
		l.drop(false)
	}
	for _, p := range m.polls {
		p.cancel()
	}
}

var modelWays = ways.All()
