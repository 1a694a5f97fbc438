//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Config is what is measured and how thoroughly. The defaults keep the whole table near half an hour on two cores.
type Config struct {
	Only    *regexp.Regexp // cells, by "workload: label"
	Servers *regexp.Regexp

	Runs     int // interleaved rounds for figures that are compared
	IdleRuns int // rounds for idle-*, which are absolute, repeat to 2 %, and take long
	Patience int // how often a run is repeated that other processes disturbed; the quietest counts
	Duration time.Duration
	Warmup   time.Duration

	IdleLinks int
	Settle    time.Duration // before and after FreeOSMemory
	PingEvery time.Duration // also how long idle-cpu measures: one ping for each link
	CPULinks  int

	EchoLinks      intList
	TCPSize        int
	Windows        intList
	WSSizes        intList
	BroadcastLinks intList
	BroadcastSize  int
	Rate           int // paced broadcast, messages/s
	UnderWay       intList
	AcceptLinks    int

	SessionLinks    int // idle memory
	Receivers       int // session broadcast
	Fan             intList
	ChatPairs       int
	ChatUnderWay    int
	ChatRate        int
	Patterns        int
	PatternSessions int
	PatternUnderWay int

	Stored         int // publications that are there at a start
	StoredChannels int
	ResumeLinks    int
	ResumeChannels intList
	SlowLinks      int
	SlowTime       time.Duration // for which one does not read
	SlowFill       int           // publications before, which fill the recent window
}

func parseConfig(args []string) (*Config, error) {
	c := &Config{
		EchoLinks: intList{200, 2000}, Windows: intList{1, 16}, WSSizes: intList{64, 1024},
		BroadcastLinks: intList{1000, 5000}, UnderWay: intList{16, 128}, Fan: intList{10, 100, 1000},
		ResumeChannels: intList{100, 1000},
	}
	fs := flag.NewFlagSet("table", flag.ContinueOnError)
	only := fs.String("run", "", "only cells whose \"workload: label\" matches this `regexp`")
	servers := fs.String("servers", "", "only servers whose name matches this `regexp`")
	quick := fs.Bool("quick", false, "everything once, short and small (flags given explicitly still count)")
	fs.IntVar(&c.Runs, "runs", 5, "interleaved rounds")
	fs.IntVar(&c.IdleRuns, "idle-runs", 1, "rounds of idle memory and idle CPU")
	fs.IntVar(&c.Patience, "patience", 1, "how often a run disturbed by other processes is repeated")
	fs.DurationVar(&c.Duration, "duration", 1500*time.Millisecond, "measured time of a run")
	fs.DurationVar(&c.Warmup, "warmup", 400*time.Millisecond, "load before the measured time")
	fs.IntVar(&c.IdleLinks, "idle-links", 18000, "connections for idle memory")
	fs.IntVar(&c.CPULinks, "cpu-links", 18000, "connections for idle CPU")
	fs.DurationVar(&c.Settle, "settle", 2*time.Second, "rest before the resident set is read")
	fs.DurationVar(&c.PingEvery, "ping", 25*time.Second, "heartbeat period, and measured time of idle-cpu")
	fs.Var(&c.EchoLinks, "echo-links", "connections of the echo workloads")
	fs.IntVar(&c.TCPSize, "tcp-size", 64, "bytes of a TCP echo message")
	fs.Var(&c.Windows, "windows", "messages under way per connection, TCP echo")
	fs.Var(&c.WSSizes, "ws-sizes", "bytes of a WebSocket echo message")
	fs.Var(&c.BroadcastLinks, "broadcast-links", "receivers of a broadcast")
	fs.IntVar(&c.BroadcastSize, "broadcast-size", 128, "bytes of a broadcast message")
	fs.IntVar(&c.Rate, "rate", 30, "messages/s of the paced broadcast")
	fs.Var(&c.UnderWay, "under-way", "messages under way in the saturated broadcast")
	fs.IntVar(&c.AcceptLinks, "accept-links", 5000, "upgrades of a run")
	c.sessionFlags(fs)
	c.filesFlags(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if *quick {
		c.quicken(fs)
	}
	var err error
	if len(c.Fan) < 2 {
		return nil, errors.New("-fan wants two numbers at least")
	}
	if c.Only, err = regexp.Compile(*only); err != nil {
		return nil, err
	}
	c.Servers, err = regexp.Compile(*servers)
	return c, err
}

func (c *Config) sessionFlags(fs *flag.FlagSet) {
	fs.IntVar(&c.SessionLinks, "session-links", 19000, "sessions for idle memory")
	fs.IntVar(&c.Receivers, "session-receivers", 1000, "sessions that receive a session broadcast")
	fs.Var(&c.Fan, "fan", "subscribers whose allocations are compared, the fewest first")
	fs.IntVar(&c.ChatPairs, "chat-pairs", 5000, "channels of two sessions")
	fs.IntVar(&c.ChatUnderWay, "chat-under-way", 64, "pairs with a publication under way in the saturated chat")
	fs.IntVar(&c.ChatRate, "chat-rate", 2000, "publications/s of the paced chat")
	fs.IntVar(&c.Patterns, "patterns", 100_000, "patterns subscribed; a thousandth of them in the run beside it")
	fs.IntVar(&c.PatternSessions, "pattern-sessions", 100, "sessions that share the patterns")
	fs.IntVar(&c.PatternUnderWay, "pattern-under-way", 32, "publications under way that match patterns")
}

func (c *Config) filesFlags(fs *flag.FlagSet) {
	fs.IntVar(&c.Stored, "stored", 1_000_000, "publications that are kept when a server is started again")
	fs.IntVar(&c.StoredChannels, "stored-channels", 100_000, "channels that they are in")
	fs.IntVar(&c.ResumeLinks, "resume-links", 10_000, "sessions that resume at once")
	fs.Var(&c.ResumeChannels, "resume-channels", "channels that they share")
	fs.IntVar(&c.SlowLinks, "slow-links", 50, "subscribers one of which stops reading")
	fs.DurationVar(&c.SlowTime, "slow", 10*time.Second, "how long it does")
	fs.IntVar(&c.SlowFill, "slow-fill", 30_000, "publications before that")
}

func (c *Config) quicken(fs *flag.FlagSet) {
	for name, value := range map[string]string{
		"runs": "1", "patience": "0", "duration": "400ms", "warmup": "150ms", "idle-links": "2000", "cpu-links": "2000",
		"settle": "300ms", "ping": "2s", "accept-links": "1000", "session-links": "2000", "chat-pairs": "500",
		"stored": "20000", "stored-channels": "2000", "resume-links": "1000", "resume-channels": "10,100", "slow": "2s", "slow-fill": "1000",
	} {
		given := false
		fs.Visit(func(f *flag.Flag) { given = given || f.Name == name })
		if !given {
			_ = fs.Set(name, value) // the values above are good
		}
	}
}

// An intList is a flag of integers with commas between them.
type intList []int

func (l *intList) String() string { return strings.Trim(fmt.Sprint([]int(*l)), "[]") }

func (l *intList) Set(s string) error {
	*l = nil
	for f := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || n < 1 {
			return fmt.Errorf("want positive integers with commas between them, not %q", s)
		}
		*l = append(*l, n)
	}
	return nil
}
